"""models.py: five models over 100 steps of new data each, their losses and what they end with. The weights begin as
numbers from their names, the batches as numbers from the names of the fields and the step. Needs no data.
SPDX-License-Identifier: MIT"""
import torch
import torch.nn.functional as F
from vectors import integers, nchw, nhwc, text, uniform, write

STEPS = 100

class Model:
    def __init__(s, name, dln, n, fields):
        """fields: name -> (shape, low, high), or (shape, modulus) for integers."""
        s.name, s.dln, s.n, s.fields, s.parameters, s.states, s.lines = name, dln, n, fields, {}, {}, [f'n {n}']
        for f, spec in fields.items(): s.lines.append(f'integers {f} {spec[1]}' if len(spec) == 2 else f'uniform {f} {spec[1]!r} {spec[2]!r}')

    def weight(s, name, shape, size):
        s.lines.append(f'uniform {name} {-size!r} {size!r}')
        s.parameters[name] = uniform(name, shape, -size, size).requires_grad_()
        return s.parameters[name]

    def start(s, name, shape, value):
        s.lines.append(f'keep {name}')
        s.parameters[name] = torch.full(shape, float(value), requires_grad=True)
        return s.parameters[name]

    def batch(s, k):
        return [integers(f'{f}#{k}', (s.n, *spec[0]), spec[1]) if len(spec) == 2 else uniform(f'{f}#{k}', (s.n, *spec[0]), *spec[1:]) for f, spec in s.fields.items()]

    def train(s, loss, optimizer, before=None, schedule=None):
        for k in range(1, STEPS + 1):
            optimizer.zero_grad(); l = loss(*s.batch(k)); l.backward()
            if before: before(list(s.parameters.values()))
            optimizer.step()
            if schedule: schedule.step()
            s.lines += [f'batch {k}', f'step 1e-9 {float(l)!r}']
        s.lines += [f'get {name} 1e-8 {text(w)}' for name, w in [*s.parameters.items(), *s.states.items()] if w.numel() <= 16]
        write(s.name, s.dln.lstrip(), [f'# {STEPS} steps of {s.name}.dln by PyTorch {torch.__version__} in float64', *s.lines])

    def norm(s, name, x, eps=1e-5):
        c = x.shape[-1]
        if f'{name}.gamma' not in s.parameters:
            s.start(f'{name}.gamma', (c,), 1); s.start(f'{name}.beta', (c,), 0)
            s.states[f'{name}.moving_mean'], s.states[f'{name}.moving_var'] = torch.zeros(c), torch.ones(c)
        return nhwc(F.batch_norm(nchw(x), s.states[f'{name}.moving_mean'], s.states[f'{name}.moving_var'], s.parameters[f'{name}.gamma'], s.parameters[f'{name}.beta'], True, .1, eps))

def conv(x, k, stride=1, pad=0): return nhwc(F.conv2d(nchw(x), k.permute(3, 2, 0, 1), None, stride, pad))

def mlp():
    """The carrying example, examples/mnist_mlp.dln, dropout off, RMSprop as Keras has it."""
    m = Model('model_mlp', '''
# examples/mnist_mlp.dln with dropout(0). Made by make_vectors.py.
model mlp {
    input image: float[28, 28]
    rescale(1/255) -> flatten -> dense(512, relu) -> dropout(0) -> dense(10, softmax)
}
train {
    loss = categorical_crossentropy; optimizer = rmsprop(lr = 0.001); metrics = accuracy; batch = 128
}
''', 128, dict(image=((28, 28), 0., 255.), target=((), 10)))
    w, b = m.weight('dense.w', (784, 512), .05), m.start('dense.b', (512,), 0)
    u, c = m.weight('dense_2.w', (512, 10), .05), m.start('dense_2.b', (10,), 0)
    class RMSprop(torch.optim.Optimizer):
        @torch.no_grad()
        def step(s):
            for p in s.param_groups[0]['params']:
                v = s.state[p].setdefault('v', torch.zeros_like(p))
                v.mul_(.9).add_(.1 * p.grad * p.grad); p.sub_(.001 * p.grad / (v + 1e-7).sqrt())
    m.train(lambda image, label: F.cross_entropy(F.relu(image.flatten(1) / 255 @ w + b) @ u + c, label), RMSprop([w, b, u, c], {}))

def lenet():
    m = Model('model_lenet', '''
# examples/lenet.dln in small, without dropout. Made by make_vectors.py.
model lenet {
    input image: float[16, 16, 1]
    conv(8, 5, pad = same, bias = false) -> batchnorm -> relu -> maxpool(2)
    conv(12, 5, pad = same, bias = false) -> batchnorm -> relu -> maxpool(2)
    flatten -> dense(32, relu) -> dense(10, softmax)
}
train { loss = categorical_crossentropy; optimizer = adam(lr = cosine(0.002, over = 80)); compat = pytorch; batch = 16 }
''', 16, dict(image=((16, 16, 1), 0., 1.), target=((), 10)))
    k, q = m.weight('conv.k', (5, 5, 1, 8), .3), m.weight('conv_2.k', (5, 5, 8, 12), .1)
    w, b, u, c = m.weight('dense.w', (192, 32), .1), m.weight('dense.b', (32,), .1), m.weight('dense_2.w', (32, 10), .2), m.weight('dense_2.b', (10,), .1)
    pool = lambda x: nhwc(F.max_pool2d(nchw(x), 2))
    def loss(x, label):
        x = pool(F.relu(m.norm('batchnorm', conv(x, k, 1, 2))))
        x = pool(F.relu(m.norm('batchnorm_2', conv(x, q, 1, 2))))
        return F.cross_entropy(F.relu(x.flatten(1) @ w + b) @ u + c, label)
    loss(*m.batch(1)); [s.copy_(torch.full_like(s, float(name.endswith('var')))) for name, s in m.states.items()]
    o = torch.optim.Adam(m.parameters.values(), .002)
    m.train(loss, o, schedule=torch.optim.lr_scheduler.LambdaLR(o, lambda t: .5 * (1 + torch.cos(torch.tensor(torch.pi * min(t / 80, 1))))))

def residual():
    m = Model('model_residual', '''
# The residual blocks of examples/resnet20.dln, one of each kind. Made by make_vectors.py.
def residual(x, filters, stride = 1) {
    y = x -> conv(filters, 3, stride = stride, pad = 1, bias = false) -> batchnorm -> relu
          -> conv(filters, 3, pad = 1, bias = false) -> batchnorm
    skip = x
    if stride != 1 { skip = x -> conv(filters, 1, stride = stride, bias = false) -> batchnorm }
    y + skip -> relu
}
model net {
    input image: float[10, 10, 3]
    residual(3) -> residual(6, stride = 2) -> global_avgpool -> dense(5, softmax)
}
train {
    loss = categorical_crossentropy(smoothing = 0.1); compat = pytorch; batch = 8
    optimizer = sgd(lr = 0.05, momentum = 0.9, nesterov = true, weight_decay = 0.001)
}
''', 8, dict(image=((10, 10, 3), -1., 1.), target=((), 5)))
    shapes = {'residual.conv.k': (3, 3, 3, 3), 'residual.conv_2.k': (3, 3, 3, 3), 'residual_2.conv.k': (3, 3, 3, 6), 'residual_2.conv_2.k': (3, 3, 6, 6), 'residual_2.conv_3.k': (1, 1, 3, 6)}
    k = {name: m.weight(name, shape, .3) for name, shape in shapes.items()}
    w, b = m.weight('dense.w', (6, 5), .5), m.weight('dense.b', (5,), .1)
    def loss(x, label):
        y = F.relu(m.norm('residual.batchnorm', conv(x, k['residual.conv.k'], 1, 1)))
        x = F.relu(m.norm('residual.batchnorm_2', conv(y, k['residual.conv_2.k'], 1, 1)) + x)
        y = F.relu(m.norm('residual_2.batchnorm', conv(x, k['residual_2.conv.k'], 2, 1)))
        y = m.norm('residual_2.batchnorm_2', conv(y, k['residual_2.conv_2.k'], 1, 1))
        x = F.relu(y + m.norm('residual_2.batchnorm_3', conv(x, k['residual_2.conv_3.k'], 2)))
        return F.cross_entropy(x.mean((1, 2)) @ w + b, label, label_smoothing=.1)
    loss(*m.batch(1)); [s.copy_(torch.full_like(s, float(name.endswith('var')))) for name, s in m.states.items()]
    m.train(loss, torch.optim.SGD(m.parameters.values(), .05, .9, nesterov=True, weight_decay=.001))

def words():
    m = Model('model_words', '''
# A classifier of short texts: embedding, mean over the places that are not padding. Made by make_vectors.py.
model words {
    input tokens: int[9]
    embedding(30, 8) -> global_avgpool(mask = tokens != 0) -> dense(16, gelu) -> layernorm -> dense(3, softmax)
}
train { loss = categorical_crossentropy; optimizer = adamw(lr = 0.01, weight_decay = 0.05, clip_norm = 0.5); compat = pytorch; batch = 20 }
''', 20, dict(tokens=((9,), 30), target=((), 3)))
    t, w, b = m.weight('embedding.table', (30, 8), 1.), m.weight('dense.w', (8, 16), .4), m.weight('dense.b', (16,), .1)
    g, e = m.start('layernorm.gamma', (16,), 1), m.start('layernorm.beta', (16,), 0)
    u, c = m.weight('dense_2.w', (16, 3), .4), m.weight('dense_2.b', (3,), .1)
    def loss(tokens, label):
        mask = (tokens != 0).double()
        x = (F.embedding(tokens, t) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        return F.cross_entropy(F.layer_norm(F.gelu(x @ w + b), (16,), g, e) @ u + c, label)
    m.train(loss, torch.optim.AdamW(m.parameters.values(), .01, weight_decay=.05), before=lambda p: torch.nn.utils.clip_grad_norm_(p, .5))

def regression():
    m = Model('model_regression', '''
# Regression of 13 numbers with measured units and penalties. Made by make_vectors.py.
model regression {
    input x: float[13]
    normalize(mean = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], std = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
    output y = dense(24, tanh, penalty = l2(0.01)) -> dense(12, silu) -> dense(1)
}
train { loss = mse(y, target) + 0.5 * huber(y, target); optimizer = adam(lr = 0.005); compat = pytorch; batch = 32 }
''', 32, dict(x=((13,), -10., 20.), target=((1,), -1., 1.)))
    w, b, u, c = m.weight('dense.w', (13, 24), .3), m.weight('dense.b', (24,), .1), m.weight('dense_2.w', (24, 12), .3), m.weight('dense_2.b', (12,), .1)
    v, d = m.weight('dense_3.w', (12, 1), .4), m.weight('dense_3.b', (1,), .1)
    mean, std = torch.arange(13.), torch.arange(13.) + 1
    def loss(x, y):
        out = F.silu(torch.tanh((x - mean) / std @ w + b) @ u + c) @ v + d
        return F.mse_loss(out, y) + .5 * F.huber_loss(out, y) + .01 * w.square().sum()
    m.train(loss, torch.optim.Adam(m.parameters.values(), .005))

ALL = (mlp, lenet, residual, words, regression)
