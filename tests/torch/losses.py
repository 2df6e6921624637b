"""losses.py: losses and their settings beside torch.nn.functional. SPDX-License-Identifier: MIT"""
import torch
import torch.nn.functional as F
from vectors import Family, nchw

def losses():
    c = Family('loss', 'losses: settings, weights, masks, sums of losses', n=5)
    real = ((4,), -1., 1.)
    c.criterion('mse({y}, {t})', F.mse_loss, (4,), real); c.criterion('mse({y}, {t})', F.mse_loss, (2, 3), ((2, 3), -1., 1.))
    c.criterion('mae({y}, {t})', F.l1_loss, (4,), real); c.criterion('20 * mse({y}, {t})', lambda y, t: F.mse_loss(y, t, reduction='sum'), (4,), real)
    c.criterion('mse({y}, {t}) + 0.1 * mae({y}, {t})', lambda y, t: F.mse_loss(y, t) + .1 * F.l1_loss(y, t), (4,), real)
    for d in (.3, 1., 2.): c.criterion(f'huber({{y}}, {{t}}, delta = {d})', lambda y, t: F.huber_loss(y, t, delta=d), (4,), real)
    for b in (.3, 1., 2.): c.criterion(f'smooth_l1({{y}}, {{t}}, beta = {b})', lambda y, t: F.smooth_l1_loss(y, t, beta=b), (4,), real)
    c.criterion('log_cosh({y}, {t})', lambda y, t: (y - t).cosh().log().mean(), (4,), real, low=-4., high=4.)
    c.criterion('hinge({y}, {t})', lambda y, t: (1 - (2 * t - 1) * y).clamp(min=0).mean(), (4,), ((4,), 2))
    bits = ((4,), 2)
    for s in (0., .2):
        smooth = lambda t: t * (1 - s) + s / 2
        c.criterion(f'binary_crossentropy({{y}}, {{t}}, logits = true, smoothing = {s})', lambda y, t: F.binary_cross_entropy_with_logits(y, smooth(t.double())), (4,), bits, low=-5., high=5.)
        c.criterion(f'binary_crossentropy({{y}}, {{t}}, smoothing = {s})', lambda y, t: F.binary_cross_entropy(y, smooth(t.double())), (4,), bits, low=.05, high=.95)
    c.criterion('binary_crossentropy({y}, {t})', lambda y, t: F.binary_cross_entropy(torch.sigmoid(y), t.double()), (4,), bits, via=' -> sigmoid')
    c.criterion('binary_crossentropy({y}, {t})', lambda y, t: F.binary_cross_entropy(y, t), (4,), ((4,), 0., 1.), low=.05, high=.95)
    c.criterion('kl_divergence({y}, {t})', lambda y, t: F.kl_div(y.log(), t, reduction='batchmean'), (4,), ((4,), .1, .9), low=.1, high=.9)
    c.criterion('kl_divergence({y}, {t})', lambda y, t: F.kl_div(y.log_softmax(-1), t, reduction='batchmean'), (4,), ((4,), .1, .9), via=' -> softmax')
    c.criterion('cosine_similarity({y}, {t})', lambda y, t: -F.cosine_similarity(y, t).mean(), (4,), real)
    for rank in ((), (3,)):
        c.criterion('mse({y}, {t}, weight = {w})', lambda y, t, w: (F.mse_loss(y, t, reduction='none').flatten(1).mean(1) * w).mean(), (*rank, 4), ((*rank, 4), -1., 1.), fields=dict(w=((), .1, 2.)))
    c.criterion('mae({y}, {t}, mask = {m})', lambda y, t, m: ((y - t).abs() * m).sum() / m.sum(), (3,), ((3,), -1., 1.), fields=dict(m=('bool', (3,), 2)))
    c.write()

def crossentropies():
    c = Family('crossentropy', 'categorical crossentropy: logits or probabilities, smoothing, class weights, ignored labels', n=5)
    for logits in (True, False):
        for shape in ((4,), (3, 4)):
            for smoothing in (0., .1, .4):
                for weights in (None, [1., 2., .5, 3.]):
                    call = 'categorical_crossentropy({y}, {t}' + (', logits = true' if logits else '') + (f', smoothing = {smoothing}' if smoothing else '') + (f', class_weight = {weights}' if weights else '') + ')'
                    f = lambda y, t: F.cross_entropy(nchw(y), t, torch.tensor(weights) if weights else None, label_smoothing=smoothing)
                    c.criterion(call, f, shape, (shape[:-1], 4), low=-3., high=3., via='' if logits else ' -> softmax')
    c.criterion('categorical_crossentropy({y}, {t})', lambda y, t: F.nll_loss(y.log(), t), (4,), ((), 4), low=.1, high=.9)
    c.criterion('categorical_crossentropy({y}, {t}, class_weight = [1, 2, 0.5, 3])', lambda y, t: F.nll_loss(y.log(), t, torch.tensor([1., 2., .5, 3.])), (4,), ((), 4), low=.1, high=.9)
    c.criterion('categorical_crossentropy({y}, {t}, logits = true, ignore = 0)', lambda y, t: F.cross_entropy(nchw(y), t, ignore_index=0), (6, 3), ((6,), 3))
    c.criterion('categorical_crossentropy({y}, {t}, ignore = 2)', lambda y, t: F.cross_entropy(y, t, ignore_index=2), (3,), ((), 3), via=' -> softmax')
    c.criterion('categorical_crossentropy({y}, {t}, logits = true, ignore = 1, smoothing = 0.2, class_weight = [1, 2, 0.5])', lambda y, t: F.cross_entropy(nchw(y), t, torch.tensor([1., 2., .5]), ignore_index=1, label_smoothing=.2), (6, 3), ((6,), 3))
    c.criterion('categorical_crossentropy({y}, {t}, logits = true, weight = {w})', lambda y, t, w: (F.cross_entropy(y, t, reduction='none') * w).mean(), (3,), ((), 3), fields=dict(w=((), .1, 2.)))
    c.write()

def penalties():
    c = Family('penalty', 'penalties on weights, weights that are used twice', n=3)
    for p, f in (('l2(0.1)', lambda w: .1 * w.square().sum()), ('l1(0.05)', lambda w: .05 * w.abs().sum())):
        c.case(f'dense(2, penalty = {p}, @)', lambda x, w, b: x @ w + b, (3,), dict(w=(3, 2), b=(2,))); c.loss = c.loss + f(dict(c.gradients[-1][1])[f'l{c.k}.w'])
        c.case(f'conv(2, 2, penalty = {p}, @)', lambda x, k, b: F.conv2d(nchw(x), k.permute(3, 2, 0, 1), b).movedim(1, -1), (3, 3, 1), dict(k=(2, 2, 1, 2), b=(2,))); c.loss = c.loss + f(dict(c.gradients[-1][1])[f'l{c.k}.k'])
    c.write()

ALL = (losses, crossentropies, penalties)
