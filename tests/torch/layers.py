"""layers.py: single layers and their settings beside torch.nn.functional: convolutions, pools, norms, activations,
shapes. SPDX-License-Identifier: MIT"""
import torch
import torch.nn.functional as F
from vectors import Family, nchw, nhwc

def same_pad(x, span, stride, value=0.):
    """What pad = same means for any stride: as Keras, ceil(size / stride) windows, the odd one after."""
    pads = []
    for axis in (3, 2):
        size, k, s = x.shape[axis], span[axis - 2], stride[axis - 2]
        total = max((-(-size // s) - 1) * s + k - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)

def pair(v): return v if isinstance(v, tuple) else (v, v)
def show(v): return str(list(v)) if isinstance(v, tuple) else str(v)

def options(*all):
    """', name = value' of each (name, value, usual) whose value is not the usual one"""
    return ''.join(f', {name} = {show(value)}' for name, value, usual in all if value != usual)

def conv_case(family, size, i, o, k, stride=1, pad='valid', dilation=1, groups=1, bias=True, activation=None, act=None):
    K, S, D = pair(k), pair(stride), pair(dilation)
    call = f'conv({o}, {show(k)}'
    call += options(('stride', stride, 1), ('pad', pad, 'valid'), ('dilation', dilation, 1), ('groups', groups, 1))
    if activation: call += f', activation = {activation}'
    if not bias: call += ', bias = false'
    def f(x, k, b=None):
        x = nchw(x)
        if pad == 'same': x = same_pad(x, [(K[a] - 1) * D[a] + 1 for a in (0, 1)], S)
        y = nhwc(F.conv2d(x, k.permute(3, 2, 0, 1), b, S, 0 if isinstance(pad, str) else pad, D, groups))
        return act(y) if act else y
    w = dict(k=(*K, i // groups, o))
    if bias: w['b'] = (o,)
    family.case(call + ', @)', f, (*size, i), w)

def convolutions():
    c = Family('conv', 'convolutions: kernels, strides and padding')
    for k in (1, 2, 3, 5, (3, 2), (1, 4)): conv_case(c, (5, 6), 2, 3, k)
    for stride in (2, (2, 1), (1, 3)): conv_case(c, (6, 7), 2, 2, 3, stride)
    for pad in ('same', 1, 2, (2, 0), (0, 1)): conv_case(c, (5, 4), 2, 2, 3, 1, pad)
    for stride, pad in ((2, 'same'), (2, 1), ((3, 2), 'same'), (4, 2), (3, 'valid')): conv_case(c, (7, 6), 1, 2, (3, 4), stride, pad)
    conv_case(c, (1, 1), 3, 2, 1); conv_case(c, (3, 3), 1, 1, 3); conv_case(c, (4, 4), 1, 2, 2, 2)
    c.write()
    c = Family('conv_groups', 'convolutions: dilation, groups, no bias, activations')
    for k, dilation, pad in ((3, 2, 'valid'), (2, 3, 'valid'), (3, (2, 1), 'same'), ((2, 3), (1, 2), (1, 2)), (3, 3, 3)):
        conv_case(c, (7, 6), 2, 2, k, 1, pad, dilation)
    for stride, pad, dilation in ((2, 1, 2), ((1, 2), 'same', 2), (3, 2, (2, 3))): conv_case(c, (7, 8), 1, 2, 3, stride, pad, dilation)
    for i, o, groups in ((4, 4, 2), (4, 6, 2), (3, 3, 3), (3, 6, 3), (6, 3, 3)): conv_case(c, (4, 4), i, o, 3, 1, 1, 1, groups)
    for stride, pad, dilation, groups in ((2, 'same', 1, 2), (2, 1, 2, 2), (1, 0, 2, 4), ((2, 1), (0, 1), 1, 4)):
        conv_case(c, (6, 5), 4, 4, (3, 2), stride, pad, dilation, groups)
    for bias in (False,): conv_case(c, (4, 4), 2, 3, 3, 1, 'same', 1, 1, bias); conv_case(c, (4, 4), 2, 4, 2, 2, 0, 1, 2, bias)
    for a, f in (('relu', F.relu), ('tanh', torch.tanh), ('softmax', lambda y: y.softmax(-1))): conv_case(c, (4, 3), 2, 3, 2, activation=a, act=f)
    c.write()

def convolutions_1d():
    c = Family('conv1d', 'convolutions over time: kernel, stride, padding (causal too), dilation, groups')
    def one(t, i, o, k, stride=1, pad='valid', dilation=1, groups=1, bias=True):
        span = (k - 1) * dilation + 1
        call = f'conv1d({o}, {k}'
        call += options(('stride', stride, 1), ('pad', pad, 'valid'), ('dilation', dilation, 1), ('groups', groups, 1))
        if not bias: call += ', bias = false'
        def f(x, k, b=None):
            x = nchw(x)
            total = max((-(-t // stride) - 1) * stride + span - t, 0)
            if pad == 'same': x = F.pad(x, (total // 2, total - total // 2))
            if pad == 'causal': x = F.pad(x, (span - 1, 0))
            return nhwc(F.conv1d(x, k.permute(2, 1, 0), b, stride, 0 if isinstance(pad, str) else pad, dilation, groups))
        w = dict(k=(k, i // groups, o))
        if bias: w['b'] = (o,)
        c.case(call + ', @)', f, (t, i), w)
    for k in (1, 2, 3, 5): one(7, 3, 2, k)
    for stride in (2, 3): one(8, 2, 3, 3, stride)
    for pad in ('same', 'causal', 1, 2): one(6, 2, 2, 3, 1, pad)
    for stride, pad in ((2, 'same'), (2, 'causal'), (2, 1), (3, 'same')): one(7, 2, 2, 3, stride, pad)
    for pad, dilation in (('valid', 2), ('same', 2), ('causal', 2), ('causal', 4), (2, 3)): one(9, 2, 2, 3, 1, pad, dilation)
    one(9, 1, 2, 3, 2, 2, 2); one(5, 2, 3, 2, bias=False)
    for i, o, groups in ((4, 4, 2), (4, 2, 2), (3, 6, 3), (3, 3, 3)): one(6, i, o, 3, groups=groups)
    one(7, 4, 4, 2, 2, 'causal', 2, 2); one(7, 4, 2, 3, 1, 'same', 1, 2, False)
    c.write()

def depthwise():
    c = Family('conv_depthwise', 'depthwise and separable convolutions')
    def one(size, i, k, m=1, stride=1, pad='valid', dilation=1, bias=True):
        K, S, D = pair(k), pair(stride), pair(dilation)
        call = f'depthwise_conv({show(k)}'
        call += options(('stride', stride, 1), ('pad', pad, 'valid'), ('dilation', dilation, 1), ('multiplier', m, 1))
        if not bias: call += ', bias = false'
        def f(x, k, b=None):
            x = nchw(x)
            if pad == 'same': x = same_pad(x, [(K[a] - 1) * D[a] + 1 for a in (0, 1)], S)
            return nhwc(F.conv2d(x, k.permute(2, 3, 0, 1).reshape(i * m, 1, *K), b, S, 0 if isinstance(pad, str) else pad, D, i))
        w = dict(k=(*K, i, m))
        if bias: w['b'] = (i * m,)
        c.case(call + ', @)', f, (*size, i), w)
    for k, m in ((3, 1), (2, 2), ((1, 3), 3)): one((5, 4), 3, k, m)
    for stride, pad in ((2, 'valid'), (2, 'same'), ((1, 2), 1), (1, 'same')): one((5, 6), 2, 3, 1, stride, pad)
    for dilation, pad in ((2, 'valid'), (2, 'same'), ((1, 2), 2)): one((6, 6), 2, 3, 2, 1, pad, dilation)
    one((4, 4), 2, 2, 2, 2, 1, 2); one((4, 4), 3, 3, bias=False)
    for m, stride, pad in ((1, 1, 'valid'), (2, 1, 'same'), (1, 2, 'same')):
        def f(x, k, p, b):
            x = nchw(x)
            if pad == 'same': x = same_pad(x, (3, 3), pair(stride))
            y = F.conv2d(x, k.permute(2, 3, 0, 1).reshape(2 * m, 1, 3, 3), None, stride, 0, 1, 2)
            return nhwc(F.conv2d(y, p.permute(3, 2, 0, 1), b))
        c.case(f'separable_conv(3, 3, multiplier = {m}, stride = {stride}, pad = {pad}, @)', f, (5, 5, 2),
               {'depthwise_conv.k': (3, 3, 2, m), 'conv.k': (1, 1, 2 * m, 3), 'conv.b': (3,)})
    c.write()

def transposed():
    c = Family('conv_transpose', 'transposed convolutions')
    def one(size, i, o, k, stride=1, pad=0, extra=0, dilation=1, groups=1, bias=True):
        call = f'conv_transpose({o}, {show(k)}'
        call += options(('stride', stride, 1), ('pad', pad, 0), ('extra', extra, 0), ('dilation', dilation, 1), ('groups', groups, 1))
        if not bias: call += ', bias = false'
        K = pair(k)
        def f(x, k, b=None):
            q = k.permute(3, 2, 0, 1)
            if groups > 1: q = q.reshape(i, o // groups, *K)
            return nhwc(F.conv_transpose2d(nchw(x), q, b, stride, pad, extra, groups, dilation))
        w = dict(k=(*K, o // groups, i))
        if bias: w['b'] = (o,)
        c.case(call + ', @)', f, (*size, i), w)
    for k in (1, 2, 3, (3, 2)): one((3, 3), 2, 2, k)
    for k, stride in ((2, 2), (3, 2), (4, 2), (2, 3), ((3, 2), (2, 1)), ((2, 4), (3, 2))): one((3, 4), 2, 2, k, stride)
    for k, stride, pad in ((3, 1, 1), (4, 2, 1), (3, 2, (0, 1)), (5, 2, 2)): one((3, 3), 1, 2, k, stride, pad)
    for k, stride, pad, extra in ((3, 2, 1, 1), (3, 2, 1, (1, 0)), (2, 3, 0, 2), (3, (2, 3), (1, 0), (1, 2))): one((3, 3), 2, 1, k, stride, pad, extra)
    one((3, 3), 2, 2, 3, bias=False)
    for k, stride, dilation, pad in ((3, 1, 2, 0), (2, 2, 2, 1), (3, (2, 1), (1, 2), 0)): one((3, 3), 2, 2, k, stride, pad, dilation=dilation)
    for i, o, groups in ((4, 4, 2), (4, 2, 2), (3, 6, 3)): one((3, 3), i, o, 3, 2, 1, groups=groups)
    one((3, 2), 4, 4, 2, 2, dilation=2, groups=2)
    c.write()

def pools():
    c = Family('pool', 'pooling')
    nn = lambda f: lambda x: nhwc(f(nchw(x)))
    for size, stride, pad in ((2, 2, 0), (3, 3, 0), (3, 2, 0), (2, 1, 0), (3, 2, 1), ((3, 2), (2, 1), (1, 1)), (3, (1, 2), (1, 0)), ((1, 3), 1, (0, 1)), (4, 2, 2)):
        arguments = f'{show(size)}, stride = {show(stride)}, pad = {show(pad)}'
        c.case(f'maxpool({arguments})', nn(lambda x: F.max_pool2d(x, size, stride, pad)), (6, 7, 2))
        c.case(f'avgpool({arguments})', nn(lambda x: F.avg_pool2d(x, size, stride, pad)), (6, 7, 2))
    c.case('maxpool(2)', nn(lambda x: F.max_pool2d(x, 2)), (5, 4, 3)); c.case('avgpool(2)', nn(lambda x: F.avg_pool2d(x, 2)), (5, 4, 3))
    for size, stride in ((2, 2), (3, 2), (3, 1), ((2, 3), (1, 2))):
        c.case(f'maxpool({show(size)}, stride = {show(stride)}, pad = same)', nn(lambda x: F.max_pool2d(same_pad(x, pair(size), pair(stride), -float('inf')), size, stride)), (5, 6, 2))
    c.case('global_maxpool', lambda x: x.amax((1, 2)), (3, 4, 2)); c.case('global_avgpool', lambda x: x.mean((1, 2)), (3, 4, 2))
    c.case('global_maxpool', lambda x: x.amax(1), (5, 3)); c.case('global_avgpool', lambda x: x.mean(1), (5, 3))
    c.case('global_avgpool(mask = {m})', lambda x, m: (x * m[..., None]).sum(1) / m.sum(1, keepdim=True).clamp(min=1), (5, 3), fields=dict(m=('bool', (5,), 2)))
    c.differs('of equal maxima in a window: PyTorch picks the last read in its own order, the library the first; no input here has any.')
    c.write()

def norms():
    c = Family('norm', 'normalisation', n=4)
    for shape in ((3,), (2, 3), (3, 2, 2)):
        for arguments, eps in (('', 1e-5), ('eps = 0.01, ', .01)):
            ch = shape[-1]
            norm = lambda x, g, b: nhwc(F.batch_norm(nchw(x), torch.zeros(ch), torch.ones(ch), g, b, True, .1, eps))
            still = lambda x, g, b: x / (1 + eps)**.5 * g + b
            c.case(f'batchnorm({arguments}@)', norm, shape, dict(gamma=(ch,), beta=(ch,)), predict=still)
            x = uniform_of(c, c.k); count = x.numel() // ch
            flat = x.reshape(-1, ch)
            c.states += [(f'l{c.k}.moving_mean', .1 * flat.mean(0)), (f'l{c.k}.moving_var', .9 + .1 * flat.var(0))]
    c.case('batchnorm(momentum = 0.5, scale = false, @)', lambda x, b: F.batch_norm(x, None, None, None, b, True), (3,), dict(beta=(3,)), predict=lambda x, b: x / (1 + 1e-5)**.5 + b)
    c.states.append((f'l{c.k}.moving_mean', .5 * uniform_of(c, c.k).mean(0)))
    c.case('batchnorm(center = false, @)', lambda x, g: F.batch_norm(x, None, None, g, None, True), (3,), dict(gamma=(3,)), predict=lambda x, g: x / (1 + 1e-5)**.5 * g)
    c.case('batchnorm(scale = false, center = false)', lambda x: F.batch_norm(x, None, None, None, None, True), (3,), predict=lambda x: x / (1 + 1e-5)**.5)
    c.case('batchnorm(trainable = false, @)', lambda x, g, b: x / (1 + 1e-5)**.5 * g.detach() + b.detach(), (3,), dict(gamma=(3,), beta=(3,)))
    for shape in ((5,), (2, 5), (2, 2, 3)):
        c.case('layernorm(@)', lambda x, g, b: F.layer_norm(x, shape[-1:], g, b), shape, dict(gamma=shape[-1:], beta=shape[-1:]))
    c.case('layernorm(eps = 0.1, @)', lambda x, g, b: F.layer_norm(x, (4,), g, b, .1), (4,), dict(gamma=(4,), beta=(4,)))
    c.case('layernorm(scale = false, @)', lambda x, b: F.layer_norm(x, (4,), None, b), (4,), dict(beta=(4,)))
    c.case('layernorm(center = false, @)', lambda x, g: F.layer_norm(x, (4,), g), (4,), dict(gamma=(4,)))
    c.case('layernorm(scale = false, center = false)', lambda x: F.layer_norm(x, (4,)), (4,))
    for groups, shape in ((1, (2, 4)), (2, (2, 2, 4)), (4, (3, 2, 4)), (2, (6,)), (3, (2, 1, 6))):
        c.case(f'groupnorm({groups}, @)', lambda x, g, b: nhwc(F.group_norm(nchw(x), groups, g, b)), shape, dict(gamma=shape[-1:], beta=shape[-1:]))
    c.case('groupnorm(2, eps = 0.01, @)', lambda x, g, b: nhwc(F.group_norm(nchw(x), 2, g, b, .01)), (3, 4), dict(gamma=(4,), beta=(4,)))
    c.differs('instance_norm under its own name: groupnorm with as many groups as channels, case groupnorm(4), is the same.')
    for shape, eps in (((5,), 1e-6), ((2, 4), 1e-6), ((4,), .1)):
        c.case('rmsnorm(@)' if eps == 1e-6 else f'rmsnorm(eps = {eps}, @)', lambda x, g: g * x / (x.square().mean(-1, keepdim=True) + eps).sqrt(), shape, dict(gamma=shape[-1:]))
    c.case('normalize(mean = [0.5, -1], std = [2, 0.3])', lambda x: (x - torch.tensor([.5, -1])) / torch.tensor([2, .3]), (3, 2))
    c.write()

def uniform_of(c, k):
    return next(leaf for _, named in c.gradients for name, leaf in named if name == f'x{k}.value').detach()

ACTIVATIONS = dict(linear=lambda x: x, relu=F.relu, relu6=F.relu6, leaky_relu=F.leaky_relu, elu=F.elu, selu=F.selu, gelu=F.gelu, silu=F.silu,
    softplus=F.softplus, softsign=F.softsign, sigmoid=torch.sigmoid, hard_sigmoid=lambda x: (x / 6 + .5).clamp(0, 1), hard_swish=F.hardswish, tanh=torch.tanh,
    softmax=lambda x: x.softmax(-1), log_softmax=lambda x: x.log_softmax(-1))

def activations():
    c = Family('activation', 'activations', n=3)
    for a, f in ACTIVATIONS.items(): c.case(a, f, (2, 4), low=-8., high=8.)
    for slope in (.3, 0., 1.5): c.case(f'leaky_relu({slope})', lambda x: F.leaky_relu(x, slope), (5,), low=-3., high=3.)
    for alpha in (.5, 2.): c.case(f'elu({alpha})', lambda x: F.elu(x, alpha), (5,), low=-3., high=3.)
    c.case('gelu(tanh_form = true)', lambda x: F.gelu(x, approximate='tanh'), (6,), low=-4., high=4.)
    c.case('prelu(@)', lambda x, a: F.prelu(x, a), (4,), dict(a=(4,))); c.case('prelu(@)', lambda x, a: nhwc(F.prelu(nchw(x), a)), (2, 2, 3), dict(a=(3,)))
    for a in ('sigmoid', 'tanh', 'softplus', 'gelu', 'silu'): c.case(a, ACTIVATIONS[a], (6,), low=-40., high=40.)
    c.case('softmax', lambda x: x.softmax(-1), (7,), low=-300., high=300.); c.case('log_softmax', lambda x: x.log_softmax(-1), (7,), low=-300., high=300.)
    c.case('softmax', lambda x: x.softmax(-1), (1,)); c.case('softmax', lambda x: x.softmax(-1), (2, 3, 2))
    c.differs('F.hardsigmoid: its gradient has 1/6 as a float, 3e-8 off, whatever the type; the case is held against clamp(x / 6 + 1/2).')
    c.differs('the gradient at a kink (relu at 0, abs at 0): both take one of the two sides, no input here lies on one.')
    c.write()

def dense():
    c = Family('dense', 'dense and embedding layers', n=3)
    for shape, o in (((4,), 3), ((1,), 1), ((2, 3), 4), ((2, 2, 3), 2)):
        c.case(f'dense({o}, @)', lambda x, w, b: x @ w + b, shape, dict(w=(shape[-1], o), b=(o,)))
    c.case('dense(3, bias = false, @)', lambda x, w: x @ w, (4,), dict(w=(4, 3)))
    for a, f in ACTIVATIONS.items():
        c.case(f'dense(4, {a}, @)', lambda x, w, b: f(F.linear(x, w.t(), b)), (3,), dict(w=(3, 4), b=(4,)), wlow=-2., whigh=2.)
    c.case('dense(2, leaky_relu(0.1), @)', lambda x, w, b: F.leaky_relu(x @ w + b, .1), (3,), dict(w=(3, 2), b=(2,)))
    for shape, vocab, dim in (((4,), 6, 3), ((), 5, 2), ((2, 3), 4, 5), ((6,), 2, 1), ((3,), 20, 2)):
        c.case(f'embedding({vocab}, {dim}, @)', lambda x, t: F.embedding(x, t), ('int', shape, vocab), dict(table=(vocab, dim)))
    c.case('one_hot(4) -> dense(2, @)', lambda x, w, b: F.one_hot(x, 4).double() @ w + b, ('int', (3,), 4), dict(w=(4, 2), b=(2,)))
    for rate in (.2, .5): c.case(f'dense(2, bias = false, @) -> dropout(0)', lambda x, w: x @ w, (3,), dict(w=(3, 2)))
    c.differs('dropout(rate), noise, hflip, pad_crop in training: other random numbers. Their means are tested by the library\'s own examples.')
    c.write()

def shapes():
    c = Family('shape', 'layers that move numbers', n=2)
    c.case('flatten', lambda x: x.flatten(1), (2, 3, 2)); c.case('flatten', lambda x: x.flatten(1), (4,))
    for shape in ((3, 4), (2, 3, 2), (12,)): c.case(f'reshape({list(shape)})', lambda x: x.reshape(-1, *shape), (4, 3))
    for order in ((2, 1),): c.case(f'permute({list(order)})', lambda x: x.permute(0, *order), (2, 3))
    for order in ((3, 1, 2), (2, 3, 1), (1, 3, 2), (3, 2, 1)): c.case(f'permute({list(order)})', lambda x: x.permute(0, *order), (2, 3, 4))
    for axis, first, second in ((-1, (2, 3), (2, 2)), (1, (2, 3), (4, 3)), (2, (2, 3), (2, 1)), (-2, (2, 3), (1, 3)), (-1, (3,), (5,))):
        c.case('=concat({x}, {b}, axis = %d)' % axis, lambda x, b: torch.cat([x, b], axis), first, also=dict(b=second))
    c.case('=concat({x}, {b}, {c})', lambda x, b, d: torch.cat([x, b, d], -1), (3,), also=dict(b=(2,), c=(4,)))
    for a, b, axis in ((1, 3, -1), (0, 2, 1), (2, 5, 2), (0, 5, -1)): c.case(f'slice({a}, {b}, axis = {axis})', lambda x: x.narrow(axis, a, b - a), (3, 5))
    c.case('=add({x}, {b})', lambda x, b: x + b, (2, 3), also=dict(b=(2, 3))); c.case('=add({x}, {b}, {c})', lambda x, b, d: x + b + d, (4,), also=dict(b=(4,), c=(4,)))
    c.case('=multiply({x}, {b})', lambda x, b: x * b, (2, 3), also=dict(b=(2, 3))); c.case('=multiply({x}, {b}, {c})', lambda x, b, d: x * b * d, (4,), also=dict(b=(4,), c=(4,)))
    for pad in (1, (1, 2), (1, 0, 2, 3), (0, 0, 0, 1)):
        p = (pad,) * 4 if isinstance(pad, int) else pad if len(pad) == 4 else (pad[0], pad[0], pad[1], pad[1])
        c.case(f'zero_pad({show(pad)})', lambda x: F.pad(x, (0, 0, p[2], p[3], p[0], p[1])), (2, 3, 2))
    for factor in (2, (2, 3), (1, 4), 3):
        c.case(f'upsample({show(factor)})', lambda x: nhwc(F.interpolate(nchw(x), scale_factor=pair(factor), mode='nearest')), (2, 3, 2))
        c.case(f'upsample({show(factor)}, bilinear)', lambda x: nhwc(F.interpolate(nchw(x), scale_factor=pair(factor), mode='bilinear', align_corners=False)), (2, 3, 2))
    c.case('rescale(1/255, offset = -0.5)', lambda x: x / 255 - .5, (3,)); c.case('rescale(3)', lambda x: 3 * x, (3,))
    c.write()

ALL = (convolutions, convolutions_1d, depthwise, transposed, pools, norms, activations, dense, shapes)
