#!/usr/bin/env python3
"""make_vectors.py: writes cases/*.dln and cases/*.txt, which replay.c runs: what PyTorch computes in float64, forwards
(outputs) and backwards (weights after one step of sgd(lr = 1): w - gradient). Needs python3-torch (Debian 12: 1.13); the
files it writes are committed, so that the tests do not. Arrays are in dlnc's order of axes: channels last."""
import math, os, torch
import torch.nn.functional as F
torch.set_default_dtype(torch.float64)
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'cases')

def numbers(t): return ' '.join(repr(float(x)) if not float(x).is_integer() else str(int(x)) for x in torch.as_tensor(t).detach().flatten().tolist())
nhwc = lambda t: t.permute(0, 2, 3, 1)

class Case:
    """One model of several layers, each with an input, an output y and a loss mse(y, t) of its own."""
    def __init__(s, name, about, n, training=True, tolerance=1e-9):
        s.name, s.about, s.n, s.tolerance = name, about, n, tolerance
        s.inputs, s.body, s.losses, s.before, s.after, s.outputs, s.fields = [], [], [], [], [], [], []
        s.loss = 0; s.weights = []; s.k = 0
    def input(s, t, kind='float'):
        name = f'x{len(s.inputs)}'; shape = list(t.shape[1:])
        s.inputs.append(f'    input {name}: {kind}[{", ".join(map(str, shape))}]'); s.fields.append((name, t)); return name
    def layer(s, x, call, y, weights, to_ours=lambda t: t, kind='float', predict=True):
        """x -> call gives y (a torch tensor with its graph, in dlnc's order). weights: name -> (torch leaf, to ours)."""
        s.k += 1; k = s.k; layer = f'l{k}'; given = s.input(x, kind)
        comma = '' if call.endswith('(') else ', '
        s.body.append(f'    output y{k} = {given} -> {call}{comma}name = "{layer}")')
        target = torch.randn(y.shape); s.fields.append((f't{k}', target)); s.losses.append(f'mse(y{k}, t{k})')
        s.loss = s.loss + ((y - target)**2).mean()
        if predict: s.outputs.append((f'y{k}', y))
        for w, (leaf, ours) in weights.items(): s.weights.append((f'{layer}.{w}', leaf, ours)); s.before.append(f'put {layer}.{w} {numbers(ours(leaf))}')
    def write(s):
        text = [f'# {s.about}. Made by make_vectors.py.', 'model m {', *s.inputs, *s.body, '}', 'train {', f'    loss = {" + ".join(s.losses)}', f'    optimizer = sgd(lr = 1); compat = pytorch; batch = {s.n}', '}', '']
        lines = [f'# {s.about}, by PyTorch {torch.__version__} in float64', f'n {s.n}']
        lines += [f'field {n} {numbers(t)}' for n, t in s.fields] + s.before
        if s.outputs: lines += ['predict'] + [f'output {n} {s.tolerance} {numbers(y)}' for n, y in s.outputs]
        lines.append(f'step {s.tolerance} {float(s.loss)!r}')
        leaves = list({id(w): w for _, w, _ in s.weights}.values())
        grads = dict(zip(map(id, leaves), torch.autograd.grad(s.loss, leaves))) if leaves else {}
        lines += [f'get {n} {s.tolerance} {numbers(ours(w - grads[id(w)]))}' for n, w, ours in s.weights]
        open(f'{HERE}/{s.name}.dln', 'w').write('\n'.join(text)); open(f'{HERE}/{s.name}.txt', 'w').write('\n'.join(lines) + '\n')
same = lambda t: t
def leaf(*shape, scale=0.5): return (torch.randn(*shape) * scale).requires_grad_()

def convolutions():
    c = Case('convolution', 'convolutions: strides, padding, dilation, groups, transposed, over time, depthwise', 2)
    kernel = lambda w: w.permute(2, 3, 1, 0)
    for (h, w, i, o, k, s, p, d, g) in [(5,6,2,3,(3,2),(1,1),(0,0),(1,1),1),(7,7,4,6,(3,3),(2,2),(1,1),(1,1),2),(9,8,3,2,(3,3),(2,3),(2,1),(2,2),1),(6,5,4,4,(1,1),(2,2),(0,0),(1,1),4),(5,5,1,2,(5,5),(1,1),(2,2),(1,1),1)]:
        x, f, b = torch.randn(2, i, h, w), leaf(o, i // g, *k), leaf(o)
        c.layer(nhwc(x), f'conv({o}, {list(k)}, stride = {list(s)}, pad = {list(p)}, dilation = {list(d)}, groups = {g}', nhwc(F.conv2d(x, f, b, s, p, d, g)), dict(k=(f, kernel), b=(b, same)))
    for (h, w, i, o, k, s, p, e) in [(3,3,2,3,(3,3),(2,2),(0,0),(0,0)),(4,3,2,2,(3,2),(2,1),(1,0),(1,0)),(3,4,1,2,(2,4),(3,2),(0,1),(0,1))]:
        x, f, b = torch.randn(2, i, h, w), leaf(i, o, *k), leaf(o)
        c.layer(nhwc(x), f'conv_transpose({o}, {list(k)}, stride = {list(s)}, pad = {list(p)}, extra = {list(e)}', nhwc(F.conv_transpose2d(x, f, b, s, p, e)), dict(k=(f, lambda t: t.permute(2, 3, 1, 0)), b=(b, same)))
    for (t, i, o, k, s, p, d) in [(7,3,4,3,1,0,1),(9,2,3,3,2,2,2)]:
        x, f, b = torch.randn(2, i, t), leaf(o, i, k), leaf(o)
        c.layer(x.permute(0, 2, 1), f'conv1d({o}, {k}, stride = {s}, pad = {p}, dilation = {d}', F.conv1d(x, f, b, s, p, d).permute(0, 2, 1), dict(k=(f, lambda t: t.permute(2, 1, 0)), b=(b, same)))
    x, f, b = torch.randn(2, 3, 5, 5), leaf(6, 1, 3, 3), leaf(6)
    c.layer(nhwc(x), 'depthwise_conv(3, multiplier = 2, pad = 1', nhwc(F.conv2d(x, f, b, 1, 1, 1, 3)), dict(k=(f, lambda t: t.reshape(3, 2, 3, 3).permute(2, 3, 0, 1)), b=(b, same)))
    c.write()

def pools():
    """Behind a 1 x 1 convolution, so that the gradient through them is seen in its weights."""
    c = Case('pool', 'pooling and enlarging, gradients seen through a 1 x 1 convolution before them', 2)
    def through(shape, call, f):
        x, w = torch.randn(*shape), leaf(shape[1], shape[1], 1, 1, scale=1)
        c.k += 1; k = c.k; given = c.input(nhwc(x)); y = nhwc(f(F.conv2d(x, w)))
        c.body.append(f'    output y{k} = {given} -> conv({shape[1]}, 1, bias = false, name = "l{k}") -> {call}')
        t = torch.randn(y.shape); c.fields.append((f't{k}', t)); c.losses.append(f'mse(y{k}, t{k})'); c.loss = c.loss + ((y - t)**2).mean(); c.outputs.append((f'y{k}', y))
        ours = lambda q: q.permute(2, 3, 1, 0); c.weights.append((f'l{k}.k', w, ours)); c.before.append(f'put l{k}.k {numbers(ours(w))}')
    for k, s, p in [((2,2),(2,2),(0,0)),((3,2),(2,1),(1,1)),((3,3),(1,2),(1,0))]:
        through((2, 3, 6, 7), f'maxpool({list(k)}, stride = {list(s)}, pad = {list(p)})', lambda x: F.max_pool2d(x, k, s, p))
        through((2, 3, 6, 7), f'avgpool({list(k)}, stride = {list(s)}, pad = {list(p)})', lambda x: F.avg_pool2d(x, k, s, p))
    through((2, 2, 3, 4), 'upsample([2, 3])', lambda x: F.interpolate(x, scale_factor=(2, 3), mode='nearest'))
    through((2, 2, 3, 4), 'upsample([2, 3], bilinear)', lambda x: F.interpolate(x, scale_factor=(2, 3), mode='bilinear', align_corners=False))
    c.write()

def norms():
    c = Case('norm', 'normalisation; batchnorm with its moving statistics', 4)
    x, g, b = torch.randn(4, 6, 3, 3), leaf(6), leaf(6); mean, var = torch.zeros(6), torch.ones(6)
    y = nhwc(F.batch_norm(x, mean, var, g, b, True)); c.layer(nhwc(x), 'batchnorm(', y, dict(gamma=(g, same), beta=(b, same)), predict=False); moving = (c.k, mean, var)
    g, b = leaf(6), leaf(6); c.layer(nhwc(x), 'layernorm(', F.layer_norm(nhwc(x), (6,), g, b), dict(gamma=(g, same), beta=(b, same)))
    g, b = leaf(6), leaf(6); c.layer(nhwc(x), 'groupnorm(3', nhwc(F.group_norm(x, 3, g, b)), dict(gamma=(g, same), beta=(b, same)))
    c.write()
    k, mean, var = moving
    open(f'{HERE}/norm.txt', 'a').write(f'get l{k}.moving_mean 1e-9 {numbers(mean)}\nget l{k}.moving_var 1e-9 {numbers(var)}\n')

def activations():
    c = Case('activation', 'activations behind a dense layer', 5, tolerance=1e-7)
    act = dict(relu=F.relu, relu6=F.relu6, leaky_relu=F.leaky_relu, elu=F.elu, selu=F.selu, gelu=F.gelu, silu=F.silu, softplus=F.softplus, softsign=F.softsign, sigmoid=torch.sigmoid, hard_sigmoid=F.hardsigmoid, hard_swish=F.hardswish, tanh=torch.tanh, softmax=lambda x: x.softmax(1), log_softmax=lambda x: x.log_softmax(1))
    for a, f in act.items():
        x, w, b = torch.randn(5, 3), leaf(6, 3, scale=2), leaf(6)
        c.layer(x, f'dense(6, {a}', f(F.linear(x, w, b)), dict(w=(w, lambda t: t.t()), b=(b, same)))
    c.write()

def recurrent():
    c = Case('recurrent', 'recurrent layers and attention', 2); H = 5
    gates = lambda q: torch.cat([q[H:2*H], q[:H], q[2*H:]])        # ours: z r n, PyTorch's: r z n
    for name, module, order in [('lstm', torch.nn.LSTM, same), ('gru', torch.nn.GRU, gates), ('rnn', torch.nn.RNN, same)]:
        x, m = torch.randn(2, 4, 3), module(3, H, batch_first=True); t = lambda q, o=order: o(q).t()
        biases = dict(bx=(m.bias_ih_l0, order), bh=(m.bias_hh_l0, order)) if name == 'gru' else dict(b=(m.bias_ih_l0, order), b2=(m.bias_hh_l0, order))
        c.layer(x, f'{name}({H}, sequences = true', m(x)[0], dict(wx=(m.weight_ih_l0, t), wh=(m.weight_hh_l0, t), **biases))
    x, m = torch.randn(2, 4, 6), torch.nn.MultiheadAttention(6, 2, batch_first=True)
    torch.nn.init.normal_(m.in_proj_bias, std=0.3); torch.nn.init.normal_(m.out_proj.bias, std=0.3)
    w = {}
    for k, q in enumerate('qkv'):
        w['w' + q] = (m.in_proj_weight, lambda t, k=k: t[6*k:6*k+6].t()); w['b' + q] = (m.in_proj_bias, lambda t, k=k: t[6*k:6*k+6])
    w.update(wo=(m.out_proj.weight, lambda t: t.t()), bo=(m.out_proj.bias, same))
    c.layer(x, 'attention(2', m(x, x, x)[0], w)
    c.write()

def losses():
    c = Case('loss', 'losses behind a dense layer', 6)
    def add(flow, kind, target, f, units):
        x, w = torch.randn(6, 3), leaf(units, 3, scale=1); c.k += 1; k = c.k; given = c.input(x); y = F.linear(x, w)
        c.body.append(f'    output y{k} = {given} -> dense({units}, bias = false, name = "l{k}")'); c.fields.append((f't{k}', target))
        c.losses.append(flow.format(y=f'y{k}', t=f't{k}')); c.loss = c.loss + f(y, target)
        c.weights.append((f'l{k}.w', w, lambda t: t.t())); c.before.append(f'put l{k}.w {numbers(w.t())}')
    label = torch.randint(0, 4, (6,)); real = torch.randn(6, 4); p = torch.randn(6, 4).softmax(1); bit = torch.randint(0, 2, (6, 4)).double()
    for s in (0., .1): add('categorical_crossentropy({y}, {t}, logits = true, smoothing = %g)' % s, 'int', label, lambda y, t: F.cross_entropy(y, t, label_smoothing=s), 4)
    add('categorical_crossentropy({y}, {t}, logits = true, class_weight = [1, 2, 3, 0.5])', 'int', label, lambda y, t: F.cross_entropy(y, t, torch.tensor([1., 2., 3., .5])), 4)
    add('mse({y}, {t})', 'float', real, F.mse_loss, 4); add('mae({y}, {t})', 'float', real, F.l1_loss, 4)
    add('huber({y}, {t}, delta = 0.7)', 'float', real, lambda y, t: F.huber_loss(y, t, delta=.7), 4)
    add('smooth_l1({y}, {t}, beta = 0.7)', 'float', real, lambda y, t: F.smooth_l1_loss(y, t, beta=.7), 4)
    add('binary_crossentropy({y}, {t}, logits = true)', 'float', bit, F.binary_cross_entropy_with_logits, 4)
    add('kl_divergence(softmax({y}), {t})', 'float', p, lambda y, t: F.kl_div(y.log_softmax(1), t, reduction='batchmean'), 4)
    c.write()

def optimizers():
    O = torch.optim
    for name, ours, make in [('sgd', 'sgd(lr = 0.1)', lambda w: O.SGD(w, .1)), ('momentum', 'sgd(lr = 0.1, momentum = 0.9)', lambda w: O.SGD(w, .1, .9)),
            ('nesterov', 'sgd(lr = 0.1, momentum = 0.9, nesterov = true)', lambda w: O.SGD(w, .1, .9, nesterov=True)), ('damped', 'sgd(lr = 0.1, momentum = 0.9, damping = 0.3)', lambda w: O.SGD(w, .1, .9, .3)),
            ('rmsprop', 'rmsprop(lr = 0.01)', lambda w: O.RMSprop(w, .01)), ('centered', 'rmsprop(lr = 0.01, momentum = 0.9, centered = true)', lambda w: O.RMSprop(w, .01, momentum=.9, centered=True)),
            ('adagrad', 'adagrad(lr = 0.1)', lambda w: O.Adagrad(w, .1)), ('adadelta', 'adadelta(lr = 1)', lambda w: O.Adadelta(w, 1.)), ('adam', 'adam(lr = 0.01)', lambda w: O.Adam(w, .01)),
            ('amsgrad', 'adam(lr = 0.01, amsgrad = true)', lambda w: O.Adam(w, .01, amsgrad=True)), ('adamw', 'adamw(lr = 0.01)', lambda w: O.AdamW(w, .01)),
            ('decay', 'adam(lr = 0.01, weight_decay = 0.1)', lambda w: O.Adam(w, .01, weight_decay=.1))]:
        x, t, w, b = torch.randn(4, 3), torch.randn(4, 2), leaf(2, 3), leaf(2); o = make([w, b])
        text = f'# {ours} for five steps. Made by make_vectors.py.\nmodel m {{\n    input x: float[3]\n    output y = x -> dense(2)\n}}\ntrain {{\n    loss = mse(y, target); optimizer = {ours}; compat = pytorch; batch = 4\n}}\n'
        lines = [f'# {ours} for five steps, by PyTorch {torch.__version__} in float64', 'n 4', f'field x {numbers(x)}', f'field target {numbers(t)}', f'put dense.w {numbers(w.t())}', f'put dense.b {numbers(b)}']
        for k in range(5):
            o.zero_grad(); l = F.mse_loss(F.linear(x, w, b), t); l.backward(); o.step(); lines.append(f'step 1e-9 {float(l)!r}')
        lines += [f'get dense.w 1e-9 {numbers(w.t())}', f'get dense.b 1e-9 {numbers(b)}']
        open(f'{HERE}/optimizer_{name}.dln', 'w').write(text); open(f'{HERE}/optimizer_{name}.txt', 'w').write('\n'.join(lines) + '\n')

def lcg(seed, count):
    out = []; s = seed
    for _ in range(count): s = (s * 6364136223846793005 + 1442695040888963407) & (2**64 - 1); out.append((s >> 40) / 16777216.0)
    return torch.tensor(out)

def seed():
    """The carrying example: 784-512-10, dropout off, RMSprop as Keras has it, 20 losses."""
    x = lcg(1, 128 * 784).reshape(128, 784) * 255; label = (lcg(2, 128) * 10).floor().long()
    w = [((lcg(3, 784 * 512) - .5) * 0.1).reshape(784, 512), torch.zeros(512), ((lcg(4, 5120) - .5) * 0.1).reshape(512, 10), torch.zeros(10)]
    w = [p.requires_grad_() for p in w]; v = [torch.zeros_like(p) for p in w]
    lines = [f'# 20 steps of examples/mnist_mlp.dln without dropout, by PyTorch {torch.__version__} in float64', 'n 128', 'field_lcg image 1 255', 'field_mod label 2 10', 'put_lcg dense.w 3 0.1', 'put_lcg dense_2.w 4 0.1']
    for k in range(20):
        l = F.cross_entropy(F.relu(x / 255 @ w[0] + w[1]) @ w[2] + w[3], label); lines.append(f'step 1e-9 {float(l)!r}')
        with torch.no_grad():
            for p, q, g in zip(w, v, torch.autograd.grad(l, w)): q.mul_(.9).add_(.1 * g * g); p.sub_(.001 * g / (q + 1e-7).sqrt())
    open(f'{HERE}/seed.txt', 'w').write('\n'.join(lines) + '\n')
    open(f'{HERE}/seed.dln', 'w').write('''# examples/mnist_mlp.dln with dropout(0): 20 steps
model mlp {
    input image: float[28, 28]
    rescale(1/255)
    flatten
    dense(512, relu)
    dropout(0)
    dense(10, softmax)
}
data given { train = idx(image = "none", label = "none") }
train {
    loss = categorical_crossentropy; optimizer = rmsprop(lr = 0.001); metrics = accuracy; batch = 128
}
''')

for make in (convolutions, pools, norms, activations, recurrent, losses, optimizers, seed):
    torch.manual_seed(1); make()
