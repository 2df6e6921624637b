"""optimizers.py: optimizers and schedules beside torch.optim: six steps of a small model, its losses and its weights. All
cases are sections of one file, which the run script takes apart. SPDX-License-Identifier: MIT"""
import math, torch
import torch.nn.functional as F
from vectors import HERE, text, uniform

O, S = torch.optim, torch.optim.lr_scheduler
STEPS = 6
PI = math.pi

def parameters():
    w, b = uniform('l.w', (3, 2)), uniform('l.b', (2,))
    return [w.requires_grad_(), b.requires_grad_()]

class Own(O.Optimizer):
    """What torch.optim does not have: step(w, g, state, t) in place."""
    def __init__(s, p, f): super().__init__(p, dict(lr=1.)); s.f, s.t = f, 0
    @torch.no_grad()
    def step(s):
        s.t += 1
        for p in s.param_groups[0]['params']: s.f(p, p.grad, s.state[p], s.t)

def own(f): return lambda p: Own(p, f)

def section(lines, ours, make, compat='pytorch', schedule=None, before=None, average=None, clocks=None):
    """before(parameters): what is done to the gradients first. average: the share of a moving average that is kept.
    clocks: what a host program tells the model before each step."""
    x, t, p = uniform('x', (4, 3)), uniform('target', (4, 2)), parameters()
    o = make(p)
    scheduler = schedule(o) if schedule else None
    mean = [q.detach().clone() for q in p]
    lines += [f'== {ours} compat = {compat}', f'case {ours}', 'n 4']
    for k in range(len(clocks) if clocks else STEPS):
        if clocks:
            lines += [f'clock {name} {v!r}' for name, v in clocks[k].items()]
            if scheduler and k and clocks[k].get('epoch_end'): scheduler.step(clocks[k]['val_loss']) if 'val_loss' in clocks[k] else scheduler.step()
        o.zero_grad(); l = F.mse_loss(x @ p[0] + p[1], t); l.backward()
        lines.append(f'step 1e-9 {float(l)!r}')
        if before: before(p)
        o.step()
        if scheduler and not clocks: scheduler.step()
        if average: mean = [average * m + (1 - average) * q.detach() for m, q in zip(mean, p)]
    lines += [f'get l.w 1e-9 {text(p[0])}', f'get l.b 1e-9 {text(p[1])}']
    if average: lines += [f'get average.l.w 1e-9 {text(mean[0])}', 'predict', f'output y 1e-9 {text(x @ mean[0] + mean[1])}']

def keras_adam(lr=.001, b1=.9, b2=.999, eps=1e-7, amsgrad=False, decay=0., kind='adam'):
    def f(w, g, s, t):
        if not s: s.update(m=torch.zeros_like(w), v=torch.zeros_like(w), top=torch.zeros_like(w), p=1.)
        if decay: w.sub_(lr * decay * w)
        s['m'] = b1 * s['m'] + (1 - b1) * g
        if kind == 'adamax':
            s['v'] = torch.maximum(b2 * s['v'], g.abs())
            return w.sub_(lr / (1 - b1**t) * s['m'] / (s['v'] + eps))
        s['v'] = b2 * s['v'] + (1 - b2) * g * g
        s['top'] = torch.maximum(s['top'], s['v'])
        d = s['top'] if amsgrad else s['v']
        if kind == 'lamb':
            u = s['m'] / (1 - b1**t) / ((s['v'] / (1 - b2**t)).sqrt() + eps)
            return w.sub_(lr * w.norm() / u.norm() * u)
        w.sub_(lr * math.sqrt(1 - b2**t) / (1 - b1**t) * s['m'] / (d.sqrt() + eps))
    return f

def nadam(lr, b1, decay, eps):
    def f(w, g, s, t):
        u, after = (b1 * (1 - .5 * .96**(k * decay)) for k in (t, t + 1))
        p = s['p'] = s.get('p', 1.) * u
        m = s['m'] = b1 * s.get('m', 0.) + (1 - b1) * g
        v = s['v'] = .999 * s.get('v', 0.) + .001 * g * g
        w.sub_(lr * ((1 - u) / (1 - p) * g + after / (1 - p * after) * m) / ((v / (1 - .999**t)).sqrt() + eps))
    return f

def lion(lr, b1=.9, b2=.99):
    def f(w, g, s, t):
        m = s.setdefault('m', torch.zeros_like(w))
        w.sub_(lr * torch.sign(b1 * m + (1 - b1) * g)); s['m'] = b2 * m + (1 - b2) * g
    return f

def keras_sgd(lr, momentum=0., nesterov=False):
    def f(w, g, s, t):
        v = s['v'] = momentum * s.get('v', 0.) - lr * g
        w.add_(momentum * v - lr * g if nesterov else v)
    return f

def keras_rmsprop(lr=.001, rho=.9, momentum=0., eps=1e-7, centered=False):
    def f(w, g, s, t):
        v = s['v'] = rho * s.get('v', 0.) + (1 - rho) * g * g
        m = s['m'] = rho * s.get('m', 0.) + (1 - rho) * g
        b = s['b'] = momentum * s.get('b', 0.) + lr * g / ((v - m * m if centered else v) + eps).sqrt()
        w.sub_(b)
    return f

def keras_adagrad(lr=.001, start=.1, eps=1e-7):
    def f(w, g, s, t): s['v'] = s.get('v', start) + g * g; w.sub_(lr * g / (s['v'] + eps).sqrt())
    return f

def optimizers():
    lines = ['# Optimizers and schedules, by PyTorch %s in float64. Made by make_vectors.py.' % torch.__version__,
             '# Not compared: torch.optim.NAdam of 1.13, which multiplies by mu_t twice in the second product (later versions do not):',
             '# nadam is held against the equations of its paper, lion, lamb and compat = keras against theirs, in float64.',
             ]
    def torchs(ours, make, **more): section(lines, f'{ours};', make, **more)
    def keras(ours, f): section(lines, f'{ours};', own(f), compat='keras')
    torchs('sgd(lr = 0.1)', lambda p: O.SGD(p, .1))
    torchs('sgd', lambda p: O.SGD(p, .001))
    for m in (.5, .9): torchs(f'sgd(lr = 0.1, momentum = {m})', lambda p: O.SGD(p, .1, m))
    torchs('sgd(lr = 0.1, momentum = 0.9, nesterov = true)', lambda p: O.SGD(p, .1, .9, nesterov=True))
    torchs('sgd(lr = 0.1, momentum = 0.9, damping = 0.3)', lambda p: O.SGD(p, .1, .9, .3))
    torchs('sgd(lr = 0.1, weight_decay = 0.2)', lambda p: O.SGD(p, .1, weight_decay=.2))
    torchs('sgd(lr = 0.1, momentum = 0.9, nesterov = true, weight_decay = 0.2)', lambda p: O.SGD(p, .1, .9, nesterov=True, weight_decay=.2))
    torchs('rmsprop', lambda p: O.RMSprop(p))
    torchs('rmsprop(lr = 0.01, rho = 0.9)', lambda p: O.RMSprop(p, .01, .9))
    torchs('rmsprop(lr = 0.01, momentum = 0.9)', lambda p: O.RMSprop(p, .01, momentum=.9))
    torchs('rmsprop(lr = 0.01, centered = true)', lambda p: O.RMSprop(p, .01, centered=True))
    torchs('rmsprop(lr = 0.01, momentum = 0.9, centered = true, eps = 0.001)', lambda p: O.RMSprop(p, .01, momentum=.9, centered=True, eps=.001))
    torchs('rmsprop(lr = 0.01, weight_decay = 0.1)', lambda p: O.RMSprop(p, .01, weight_decay=.1))
    torchs('adagrad(lr = 0.1)', lambda p: O.Adagrad(p, .1))
    torchs('adagrad(lr = 0.1, start = 0.2, eps = 0.01)', lambda p: O.Adagrad(p, .1, initial_accumulator_value=.2, eps=.01))
    torchs('adadelta', lambda p: O.Adadelta(p))
    torchs('adadelta(lr = 0.5, rho = 0.8, eps = 0.0001)', lambda p: O.Adadelta(p, .5, .8, 1e-4))
    torchs('adam', lambda p: O.Adam(p))
    torchs('adam(lr = 0.1, beta1 = 0.8, beta2 = 0.9, eps = 0.001)', lambda p: O.Adam(p, .1, (.8, .9), .001))
    torchs('adam(lr = 0.1, amsgrad = true, beta2 = 0.5)', lambda p: O.Adam(p, .1, (.9, .5), amsgrad=True))
    torchs('adam(lr = 0.1, weight_decay = 0.1)', lambda p: O.Adam(p, .1, weight_decay=.1))
    torchs('adamw(lr = 0.1)', lambda p: O.AdamW(p, .1))
    torchs('adamw(lr = 0.1, weight_decay = 0.3, amsgrad = true)', lambda p: O.AdamW(p, .1, weight_decay=.3, amsgrad=True))
    torchs('nadam', own(nadam(.002, .9, .004, 1e-8)))
    torchs('nadam(lr = 0.05, beta1 = 0.8, decay = 0.5)', own(nadam(.05, .8, .5, 1e-8)))
    torchs('adamax', lambda p: O.Adamax(p))
    torchs('adamax(lr = 0.1, beta1 = 0.8, beta2 = 0.9)', lambda p: O.Adamax(p, .1, (.8, .9)))
    torchs('lion(lr = 0.01)', own(lion(.01)))
    torchs('lion(lr = 0.01, beta1 = 0.5, beta2 = 0.7)', own(lion(.01, .5, .7)))
    torchs('lamb(lr = 0.01)', own(keras_adam(.01, kind='lamb')))
    keras('nadam', nadam(.001, .9, 1., 1e-7))
    for limit in (.05, 10.):
        torchs(f'sgd(lr = 0.1, clip_value = {limit})', lambda p: O.SGD(p, .1), before=lambda p: torch.nn.utils.clip_grad_value_(p, limit))
        torchs(f'sgd(lr = 0.1, clip_norm = {limit})', lambda p: O.SGD(p, .1), before=lambda p: torch.nn.utils.clip_grad_norm_(p, limit))
    torchs('adam(lr = 0.1, ema = 0.7)', lambda p: O.Adam(p, .1), average=.7)
    keras('sgd(lr = 0.1, momentum = 0.9)', keras_sgd(.1, .9)); keras('sgd(lr = 0.1, momentum = 0.9, nesterov = true)', keras_sgd(.1, .9, True))
    keras('rmsprop', keras_rmsprop()); keras('rmsprop(lr = 0.01, momentum = 0.5, centered = true)', keras_rmsprop(.01, momentum=.5, centered=True))
    keras('adagrad', keras_adagrad()); keras('adam', keras_adam()); keras('adam(lr = 0.1, amsgrad = true, beta2 = 0.5)', keras_adam(.1, b2=.5, amsgrad=True))
    keras('adamw(lr = 0.1)', keras_adam(.1, decay=.004)); keras('adamax', keras_adam(kind='adamax'))
    sgd = lambda p: O.SGD(p, .1)
    def scheduled(ours, schedule, steps=0): section(lines, f'sgd(lr = {ours}); ' + (f'steps = {steps};' if steps else ''), sgd, schedule=schedule)
    scheduled('steady(0.1, warmup = 4)', lambda o: S.LambdaLR(o, lambda t: min(t / 4, 1)))
    scheduled('exponential(0.1, 0.7, over = 1)', lambda o: S.ExponentialLR(o, .7))
    scheduled('exponential(0.1, 0.5, over = 2, staircase = true)', lambda o: S.StepLR(o, 2, .5))
    scheduled('polynomial(0.1, last = 0, power = 2, over = 4)', lambda o: S.PolynomialLR(o, 4, 2.))
    scheduled('polynomial(0.1, last = 0)', lambda o: S.PolynomialLR(o, 6, 1.), 6)
    scheduled('cosine(0.1, over = 6)', lambda o: S.CosineAnnealingLR(o, 6)); scheduled('cosine(0.1)', lambda o: S.CosineAnnealingLR(o, 6), 6)
    scheduled('cosine(0.1, over = 6, lowest = 0.1)', lambda o: S.CosineAnnealingLR(o, 6, .01))
    scheduled('one_cycle(0.1)', lambda o: S.OneCycleLR(o, .1, total_steps=20, cycle_momentum=False), 20)
    scheduled('one_cycle(0.1, rise = 0.5, first = 4, final = 100)', lambda o: S.OneCycleLR(o, .1, total_steps=8, pct_start=.5, div_factor=4, final_div_factor=100, cycle_momentum=False), 8)
    epochs = [dict(epoch=k // 2, epoch_end=int(k > 0 and k % 2 == 0)) for k in range(8)]
    section(lines, 'sgd(lr = step(0.1, at = [1, 3], gamma = 0.5));', sgd, schedule=lambda o: S.MultiStepLR(o, [1, 3], .5), clocks=epochs)
    worse = [dict(e, val_loss=v) for e, v in zip([dict(epoch=k, epoch_end=int(k > 0)) for k in range(9)], (9, 1., .9, .95, .9, .9, .5, .6, .7))]
    for patience, factor, lowest in ((1, .5, 0.), (2, .1, .02)):
        section(lines, f'sgd(lr = plateau(0.1, factor = {factor}, patience = {patience}, lowest = {lowest})); validate = test;', sgd, clocks=worse,
                schedule=lambda o: S.ReduceLROnPlateau(o, factor=factor, patience=patience, threshold_mode='abs', min_lr=lowest))
    with open(f'{HERE}/optimizers.txt', 'w') as f: f.write('\n'.join(lines) + '\n')

ALL = (optimizers,)
