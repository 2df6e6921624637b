"""vectors.py: a family of cases, how it becomes cases/NAME.dln (one model with an output for each case) and NAME.txt (what
PyTorch computes in float64: outputs, then what one step of sgd(lr = 1) takes off: the gradients). No data is written:
inputs, weights and targets are numbers that follow from their names, here and in replay.c. An input of a layer is a row
of a parameter, x1.value[who], so that its gradient is seen like a weight's. Everything is in dlnc's order of axes:
channels last. SPDX-License-Identifier: MIT"""
import os, torch
torch.set_default_dtype(torch.float64)
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'cases')
nhwc = lambda t: t.movedim(1, -1)
nchw = lambda t: t.movedim(-1, 1)

GIVEN = '''def given(who: int[n], samples: int, shape: list) {
    param value[s in samples, k.. in shape] = zeros
    y[n, k..] = value[who[n], k..]
}
'''

def stream(name):
    """Numbers in [0, 1) that follow from a name: its FNV-1a hash is the start of a linear congruential generator."""
    s = 0xcbf29ce484222325
    for c in name.encode(): s = (s ^ c) * 0x100000001b3 & (2**64 - 1)
    while True:
        s = (s * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        yield (s >> 40) / 16777216.0

def uniform(name, shape, low=-1., high=1.):
    numbers, count = stream(name), 1
    for e in shape: count *= e
    return torch.tensor([low + (high - low) * next(numbers) for _ in range(count)]).reshape(shape)

def integers(name, shape, modulus): return (uniform(name, shape, 0., 1.) * modulus).floor().long()

def text(t): return ' '.join('%.12g' % v for v in torch.as_tensor(t).detach().flatten().tolist())

class Family:
    def __init__(s, name, about, n=2, compat='pytorch', tolerance=1e-9):
        s.name, s.about, s.n, s.compat, s.tolerance = name, about, n, compat, tolerance
        s.notes, s.inputs, s.body, s.terms = [], [], [], []
        s.ranges, s.outputs, s.gradients, s.states = [], [], [], []
        s.loss, s.k = 0, 0

    def differs(s, what):
        """What PyTorch does otherwise, or what is not compared, and why: goes into the head of the .dln."""
        s.notes.append(what)

    def number(s, name, shape, low=-1., high=1.):
        if (low, high) != (-1., 1.): s.ranges.append(f'uniform {name} {low!r} {high!r}')
        return uniform(name, shape, low, high)

    def field(s, name, kind, shape, modulus=2):
        """An integer or bool input or target: floor of uniform numbers."""
        s.ranges.append(f'integers {name} {modulus}')
        if kind: s.inputs.append(f'    input {name}: {kind}[{", ".join(map(str, shape))}]')
        return integers(name, (s.n, *shape), modulus)

    def leaf(s, name, shape, low=-1., high=1.):
        """A tensor with a batch axis whose gradient is seen."""
        value = s.number(f'{name}.value', (s.n, *shape), low, high).requires_grad_()
        s.body.append(f'    {name} = who -> given({s.n}, [{", ".join(map(str, shape))}], name = "{name}")')
        s.gradients[-1][1].append((f'{name}.value', value))
        return value

    def begin(s, call):
        s.k += 1
        s.gradients.append((f'{s.k} {call}', []))

    def case(s, call, f, x=(), w={}, also={}, fields={}, states={}, low=-1., high=1., wlow=-1., whigh=1., predict=None):
        """x -> call is f(x, weights.., also.., fields..). @ in call is name = ".."; {m} the input or leaf called m.
        w, also: name -> shape; fields: name -> (type, shape, modulus); states: name -> value after the step;
        x: the shape of one sample, or (type, shape, modulus) for integers. predict: f where it is another one."""
        shown = call
        s.begin(call); k = s.k
        names, got = {}, {}
        if x and isinstance(x[0], str): given = s.field(f'x{k}', *x)
        else: given = s.leaf(f'x{k}', x, low, high)
        for name, shape in w.items():
            got[name] = s.number(f'l{k}.{name}', shape, wlow, whigh).requires_grad_()
            s.gradients[-1][1].append((f'l{k}.{name}', got[name]))
        for name, shape in also.items(): names[name] = f'x{k}_{name}'; got[name] = s.leaf(names[name], shape)
        for name, spec in fields.items(): names[name] = f'x{k}_{name}'; got[name] = s.field(names[name], *spec)
        call = call.replace('@', f'name = "l{k}"')
        for name, ours in names.items(): call = call.replace('{%s}' % name, ours)
        s.body.append(f'    output y{k} = x{k} -> {call}' if not call.startswith('=') else f'    output y{k} = {call[1:].replace("{x}", f"x{k}")}')
        arguments = list(got.values())
        y = f(given, *arguments)
        shown_y = y if predict is None else predict(given, *arguments)
        s.outputs.append((f'y{k}', shown_y))
        s.states += [(f'l{k}.{name}', value) for name, value in states.items()]
        target = uniform(f't{k}', y.shape)
        s.terms.append(f'mse(y{k}, t{k})')
        s.loss = s.loss + ((y - target)**2).mean()

    def given_field(s, name, spec):
        """A target or what else a loss reads. spec: (shape, low, high), (shape, modulus) for integers, or an input's."""
        if isinstance(spec[0], str): return s.field(name, *spec)
        return s.field(name, '', *spec) if len(spec) == 2 else s.number(name, (s.n, *spec[0]), *spec[1:])

    def criterion(s, call, f, y, target, low=-1., high=1., via='', fields={}):
        """A loss: call has {y}, {t} and the names of fields; via: a layer after the values whose gradient is seen."""
        s.begin(call); k = s.k
        value = s.leaf(f'x{k}', y, low, high)
        s.body.append(f'    output y{k} = x{k}{via}')
        names = {'y': f'y{k}', 't': f't{k}', **{name: f't{k}_{name}' for name in fields}}
        s.terms.append(call.format(**names))
        s.loss = s.loss + f(value, s.given_field(f't{k}', target), *[s.given_field(names[name], spec) for name, spec in fields.items()])

    def write(s):
        dln = [f'# {s.about}. Made by make_vectors.py.', *[f'# Not compared: {line}' for line in s.notes], GIVEN + 'model m {',
               '    input who: int[]', *s.inputs, *s.body, '}', 'train {', f'    loss = {" + ".join(s.terms)}',
               f'    optimizer = sgd(lr = 1); compat = {s.compat}; batch = {s.n}', '}', '']
        leaves = [leaf for _, named in s.gradients for _, leaf in named]
        found = iter(torch.autograd.grad(s.loss, leaves, allow_unused=True))
        lines = [f'# {s.about}, by PyTorch {torch.__version__} in float64', f'n {s.n}', 'index who', *s.ranges]
        if s.outputs: lines += ['predict', *[f'output {n} {s.tolerance} {text(y)}' for n, y in s.outputs]]
        lines.append(f'step {s.tolerance} {float(s.loss)!r}')
        for title, named in s.gradients:
            lines.append(f'case {title}')
            for name, leaf in named:
                g = next(found)
                lines.append(f'gradient {name} {s.tolerance} {text(torch.zeros_like(leaf) if g is None else g)}')
        lines += [f'get {n} {s.tolerance} {text(v)}' for n, v in s.states]
        write(s.name, '\n'.join(dln), lines)

def write(name, dln, lines):
    os.makedirs(HERE, exist_ok=True)
    with open(f'{HERE}/{name}.dln', 'w') as f: f.write(dln)
    with open(f'{HERE}/{name}.txt', 'w') as f: f.write('\n'.join(lines) + '\n')
