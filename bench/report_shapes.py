"""report_shapes.py: the tables of RESULTS.md on single contractions (bench/shapes) and on the functions of the core
(bench/ulp.c). SPDX-License-Identifier: MIT"""
import collections, os

SIDES = {'f': 'forward', 'x': 'gradient of the data', 'w': 'gradient of the weights'}
BOUNDS = {'exp': 2, 'log': 2, 'tanh': 2, 'erf': 2, 'sigmoid': 2}


class Shapes:
    """What raw.shapes says: of each side the least time over the rounds, us."""
    def __init__(self, path):
        self.of, self.work = {}, {}
        self.ours, self.gemm = collections.defaultdict(dict), {}
        for line in open(path) if os.path.exists(path) else []:
            kind, name, *word = line.split()
            if kind == 'of':
                self.of[name] = word
            elif kind == 'shape':
                side, compiler, us, mflop, megabytes = word
                us = max(float(us), 1e-3)
                self.ours[name, side][compiler] = min(us, self.ours[name, side].get(compiler, us))
                self.work[name, side] = float(mflop), float(megabytes)
            elif kind == 'gemm':
                side, us = word
                self.gemm[name, side] = min(float(us), self.gemm.get((name, side), 1e30))

    def title(self, name):
        kind, *w = self.of[name]
        if kind == 'matrix':
            return ' x '.join(w[:3])
        if kind == 'many':
            return f'{w[0]} times {w[1]} x {w[1]} x {w[1]}'
        options = ''.join(', ' + o.replace(',', ', ') for o in w[5 if kind == 'depthwise' else 6:])
        if kind == 'depthwise':
            return f'depthwise {w[3]} x {w[3]}, {w[2]} channels, {w[0]} images of {w[1]} x {w[1]}{options}'
        form = ', Winograd' if kind == 'winograd' else ''
        return f'{w[4]} x {w[4]}, {w[2]} to {w[3]} channels, {w[0]} images of {w[1]} x {w[1]}{options}{form}'

    def wide(self, name):
        """Has it a goal of the peak? All sides >= 64, convolutions from 16 channels."""
        kind, *w = self.of[name]
        if kind == 'matrix':
            return min(int(v) for v in w[:3]) >= 64
        return kind == 'conv' and min(int(w[2]), int(w[3])) >= 16


def met(shapes, key, raw):
    """'' where there is no goal."""
    name, side = key
    mflop, megabytes = shapes.work[key]
    slow = max(shapes.ours[key].values())
    share = raw.bound(mflop, megabytes) / slow
    bandwidth = raw.bound(0, megabytes) > raw.bound(mflop, 0)
    goals = []
    if bandwidth and shapes.of[name][0] != 'many':
        goals.append(share >= 0.8)
    elif shapes.wide(name):
        goals.append(share >= 0.92)
    if key in shapes.gemm:
        goals.append(slow <= 1.02 * shapes.gemm[key])
    return '' if not goals else 'yes' if all(goals) else '**no**'


def shapes_text(raw, path, table, to):
    shapes = Shapes(path)
    if not shapes.ours:
        return
    compilers = sorted({c for times in shapes.ours.values() for c in times}, reverse=True)
    rows, verdicts, wins, compared = [], [], 0, 0
    for key in sorted(shapes.ours, key=lambda k: (list(shapes.of).index(k[0]), 'fxw'.index(k[1]))):
        mflop, megabytes = shapes.work[key]
        bound = raw.bound(mflop, megabytes)
        rate = lambda us: f'{mflop / us * 1e3:.1f}' if us else '-'
        times = [shapes.ours[key].get(c) for c in compilers]
        gemm = shapes.gemm.get(key)
        verdicts.append(met(shapes, key, raw))
        if gemm:
            compared += 1
            wins += max(t for t in times if t) <= 1.02 * gemm
        rows.append([shapes.title(key[0]), SIDES[key[1]], *[rate(t) for t in times],
                     '/'.join(f'{100 * bound / t:.0f}' for t in times if t) + ' %', rate(gemm), verdicts[-1]])
    to += ['## Single contractions', '', f'GF/s on one core, the best of a few runs, of {len(rows)} contractions in '
           f'{len(shapes.of)} shapes. Matrices: M x K x N, y[M, N] = x[M, K] w[K, N]. Each is the middle layer of a small '
           'model as dlnc emits it: with bias, relu, its derivative or the optimizer\'s step fused into it, and with the '
           'copies it needs (padding, turned weights). The share is of the longer of operations at the measured peak and '
           'bytes at the measured bandwidth; Winograd\'s operations are counted as the direct form\'s. Goals: >= 92 % where '
           'all sides are >= 64 and for convolutions from 16 channels, >= 80 % where the bandwidth is the bound, never below '
           'OpenBLAS (2 % are left for the clock), with each compiler.', '',
           f'Goals met: {verdicts.count("yes")} of {len([v for v in verdicts if v])}'
           + (f'; not below OpenBLAS: {wins} of {compared}.' if compared else '; OpenBLAS was not there.'), '']
    table(to, ['contraction', 'side', *compilers, 'of its bound', 'OpenBLAS', 'goal met'], rows)


def ulp_text(path, table, to):
    if not os.path.exists(path):
        return
    lines, rows = open(path).read().splitlines(), []
    every = [line.split()[1] for line in lines if line.startswith('every ')]
    for line in lines:
        word = line.split()
        if len(word) > 6 and word[2] == 'ulp':
            rows.append([word[0], word[1], word[6].strip('():'), '<= 2',
                         'yes' if float(word[1]) <= BOUNDS.get(word[0], 2) else '**no**'])
    if rows:
        to += ['## Functions of the core', '', 'The largest error in units of the last place over '
               + ('all 2^32 floats' if every in ([], ['1']) else f'one float in {every[0]}') + ' (bench/ulp.c). sigmoid is an '
               'equation of the library, 1 / (1 + exp(-x)): two more roundings on top of exp.', '']
        table(to, ['function', 'ulp at most', 'at', 'goal', 'met'], rows)


def csv_text(path, table, to):
    if not os.path.exists(path):
        return
    rates = [line.split() for line in open(path) if line.endswith('MB/s\n')]
    if rates:
        to += ['## Reading a table', '', 'A CSV of 20 columns of numbers, from the file to floats, on one core, in the same run '
               '(bench/csv/run).', '']
        table(to, ['reader', 'MB/s of processor time', 'goal', 'met'],
              [[name.strip(':'), rate, *(['>= 200', 'yes' if float(rate) >= 200 else '**no**'] if name == 'dlnc:' else ['', ''])]
               for name, rate, _ in rates])
