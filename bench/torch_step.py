"""torch_step.py MODEL VARIANT THREADS SECONDS: PyTorch's training step of a model of bench/models, timed for about SECONDS;
prints "median MS minimum MS loss L". Variants: module (autograd and torch.optim, the usual way), last (the same with
channels last), manual (dense nets: an expert's loop without autograd, every output allocated before). BENCH_CLOCK=cpu in
the environment: the processor's time. SPDX-License-Identifier: MIT"""
import os, statistics, sys, time
import torch
import torch.nn as nn
import torch.nn.functional as F

model, variant, threads, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
torch.set_num_threads(threads)
torch.manual_seed(0)
now = time.process_time if os.environ.get('BENCH_CLOCK') == 'cpu' else time.perf_counter


class Residual(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.one = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.two = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(filters), nn.BatchNorm2d(filters)
        self.skip = nn.Identity()
        if stride != 1:
            self.skip = nn.Sequential(nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        return F.relu(self.bn2(self.two(F.relu(self.bn1(self.one(x))))) + self.skip(x))


def resnet20():
    layers, channels = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for filters in (16, 32, 64):
        for block in range(3):
            layers.append(Residual(channels, filters, 2 if filters > 16 and block == 0 else 1))
            channels = filters
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.dense = nn.LSTM(28, 128, batch_first=True), nn.Linear(128, 10)

    def forward(self, x):
        return self.dense(self.lstm(x)[0][:, -1])


class Block(nn.Module):
    def __init__(self, d=128, heads=4):
        super().__init__()
        self.heads, self.n1, self.n2 = heads, nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.project = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.register_buffer('future', torch.triu(torch.ones(128, 128, dtype=torch.bool), 1))

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (a.view(b, t, self.heads, -1).transpose(1, 2) for a in self.qkv(self.n1(x)).split(d, 2))
        p = (q @ k.transpose(2, 3) * (d // self.heads) ** -0.5).masked_fill(self.future, -float('inf')).softmax(3)
        x = x + self.project((p @ v).transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.n2(x))))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(65, 128), nn.Embedding(128, 128)
        self.blocks, self.norm = nn.Sequential(*(Block() for _ in range(4))), nn.LayerNorm(128)

    def forward(self, x):
        x = self.norm(self.blocks(self.tokens(x) + self.places.weight))
        return (x @ self.tokens.weight.t()).flatten(0, 1)


def dense(hidden, drop):
    return nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), *[nn.Dropout(0.2)] * drop, nn.Linear(hidden, 10))


def lenet5():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(),
                         nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(),
                         nn.Linear(84, 10))


def kerascnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Dropout(0.25), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5),
                         nn.Linear(128, 10))


def sgd(lr, **more):
    return lambda parameters: torch.optim.SGD(parameters, lr, **more)


rmsprop = lambda parameters: torch.optim.RMSprop(parameters, 1e-3, alpha=0.9, eps=1e-7)
adam = lambda parameters: torch.optim.Adam(parameters, 1e-3, eps=1e-7)
adamw = lambda parameters: torch.optim.AdamW(parameters, 3e-4, weight_decay=0.01)
models = {                                       # network, optimizer, shape of the batch
    'seed': (lambda: dense(512, True), rmsprop, (128, 784)), 'b64': (lambda: dense(128, False), sgd(0.01), (64, 784)),
    'b1': (lambda: dense(128, False), sgd(0.01), (1, 784)), 'lenet5': (lenet5, sgd(0.01, momentum=0.9), (64, 1, 28, 28)),
    'kerascnn': (kerascnn, adam, (128, 1, 28, 28)),
    'resnet20': (resnet20, sgd(0.1, momentum=0.9, weight_decay=1e-4), (32, 3, 32, 32)),
    'lstm': (Recurrent, adam, (64, 28, 28)), 'gpt': (Gpt, adamw, (16, 128)),
}
make, optimizer, shape = models[model]
net = make()
x = torch.randint(0, 65, shape) if model == 'gpt' else torch.rand(shape)
target = torch.randint(0, 65, (16 * 128,)) if model == 'gpt' else torch.randint(0, 10, shape[:1])
if variant == 'last':
    net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)


def usual():
    opt = optimizer(net.parameters())

    def step():
        opt.zero_grad(set_to_none=True)
        loss = F.cross_entropy(net(x), target)
        loss.backward()
        opt.step()
        return loss
    return step


def manual():
    batch, drop = shape[0], model == 'seed'
    weights = [p.detach().clone() for p in net.parameters()]
    w1, b1, w2, b2 = weights
    square, grad, root = ([torch.zeros_like(p) for p in weights] for _ in range(3))
    h, dh, keep = (torch.empty(batch, len(b1)) for _ in range(3))
    z = torch.empty(batch, 10)
    hot = F.one_hot(target, 10).float()

    def update(p, v, g, r):
        if drop:
            v.mul_(0.9).addcmul_(g, g, value=0.1)
            torch.add(v, 1e-7, out=r)
            p.addcdiv_(g, r.sqrt_(), value=-1e-3)
        else:
            p.add_(g, alpha=-1e-2)

    def step():
        torch.addmm(b1, x, w1.t(), out=h)
        h.relu_()
        if drop:
            h.mul_(keep.bernoulli_(0.8).mul_(1.25))
        torch.addmm(b2, h, w2.t(), out=z)
        logs = torch.log_softmax(z, 1)
        loss = -(logs * hot).sum() / batch
        dz = logs.exp_().sub_(hot).mul_(1 / batch)
        torch.mm(dz, w2, out=dh)
        dh.masked_fill_(h == 0, 0)
        if drop:
            dh.mul_(1.25)
        torch.mm(dz.t(), h, out=grad[2])
        torch.sum(dz, 0, out=grad[3])
        torch.mm(dh.t(), x, out=grad[0])
        torch.sum(dh, 0, out=grad[1])
        for four in zip(weights, square, grad, root):
            update(*four)
        return loss
    return step


step = manual() if variant == 'manual' else usual()
for _ in range(3):
    step()
times, stop = [], time.perf_counter() + seconds
while len(times) < 3 or time.perf_counter() < stop:
    begin = now()
    loss = step()
    times.append(now() - begin)
print(f'median {statistics.median(times) * 1e3:.4f} minimum {min(times) * 1e3:.4f} loss {float(loss):.5f}')
