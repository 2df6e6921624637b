"""torch_mlp.py HIDDEN BATCH rmsprop|sgd VARIANT THREADS: the median of PyTorch's training steps of 784-HIDDEN-10, in ms.
Variants: module (nn.Sequential, autograd, torch.optim), manual (an expert's loop: no autograd, outputs preallocated)."""
import statistics, sys, time, torch
import torch.nn.functional as F
hidden, batch, optimizer, variant, threads = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
torch.set_num_threads(threads); torch.manual_seed(0)
drop = optimizer == 'rmsprop'
x, label = torch.rand(batch, 784), torch.randint(0, 10, (batch,))
layers = [torch.nn.Linear(784, hidden), torch.nn.ReLU()] + [torch.nn.Dropout(0.2)] * drop + [torch.nn.Linear(hidden, 10)]
net = torch.nn.Sequential(*layers)
def module():
    opt = torch.optim.RMSprop(net.parameters(), 1e-3, alpha=0.9, eps=1e-7) if drop else torch.optim.SGD(net.parameters(), 1e-2)
    def step():
        opt.zero_grad(set_to_none=True); F.cross_entropy(net(x), label).backward(); opt.step()
    return step
def manual():
    w1, b1, w2, b2 = weights = [p.detach().clone() for p in net.parameters()]
    square = [torch.zeros_like(p) for p in weights]; grad = [torch.empty_like(p) for p in weights]; root = [torch.empty_like(p) for p in weights]
    h, z, dh, keep = torch.empty(batch, hidden), torch.empty(batch, 10), torch.empty(batch, hidden), torch.empty(batch, hidden)
    hot = F.one_hot(label, 10).float()
    def step():
        torch.addmm(b1, x, w1.t(), out=h); h.relu_()
        if drop: h.mul_(keep.bernoulli_(0.8).mul_(1.25))
        torch.addmm(b2, h, w2.t(), out=z)
        dz = torch.softmax(z, 1).sub_(hot).mul_(1 / batch)
        torch.mm(dz, w2, out=dh); dh.masked_fill_(h == 0, 0)
        if drop: dh.mul_(1.25)
        torch.mm(dz.t(), h, out=grad[2]); torch.sum(dz, 0, out=grad[3]); torch.mm(dh.t(), x, out=grad[0]); torch.sum(dh, 0, out=grad[1])
        for p, v, g, r in zip(weights, square, grad, root):
            if drop: v.mul_(0.9).addcmul_(g, g, value=0.1); torch.add(v, 1e-7, out=r); p.addcdiv_(g, r.sqrt_(), value=-1e-3)
            else: p.add_(g, alpha=-1e-2)
    return step
step = dict(module=module, manual=manual)[variant]()
for _ in range(20): step()
times = []
for _ in range(200):
    begin = time.perf_counter(); step(); times.append(time.perf_counter() - begin)
print(f'median {statistics.median(times) * 1e3:.4f} minimum {min(times) * 1e3:.4f}')
