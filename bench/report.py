"""report.py RAW RESULTS.md results.svg: from the raw lines of bench/run (RAW, RAW.shapes, RAW.ulp, RAW.csv) to the tables and the
chart. Every figure of a step is the median over the rounds of a run's median; on a loaded machine the quickest step, which
others disturb least. A floor is the operations of a step at the measured peak plus weights and optimizer's state once
read and once written at the measured bandwidth. SPDX-License-Identifier: MIT"""
import collections, os, statistics, sys
from chart import chart
from report_shapes import csv_text, shapes_text, ulp_text

TITLES = {
    'seed': 'seed: MLP 784-512-10 b128, dropout, RMSprop', 'b64': 'MLP 784-128-10 b64, SGD', 'b1': 'the same, b1',
    'lenet5': 'LeNet-5 b64, SGD', 'kerascnn': 'Keras CNN b128, Adam', 'resnet20': 'ResNet-20 b32, SGD',
    'lstm': 'LSTM 128, 28 steps, b64, Adam', 'gpt': 'GPT 4 layers d128 T128 b16, AdamW',
}
BEST = {'seed': 2.2, 'b64': 2.7, 'b1': 18, 'lenet5': 3.5, 'kerascnn': 2.4, 'resnet20': 1.8, 'lstm': 3, 'gpt': 1.8}
SHARE = {'seed': .90, 'b64': .90, 'lenet5': .85, 'kerascnn': .85, 'resnet20': .85, 'lstm': .85, 'gpt': .75}
HAND = ('seed', 'b64', 'b1', 'lenet5', 'kerascnn', 'resnet20')


class Raw:
    """What the raw file says."""
    def __init__(self, path):
        self.time, self.rss = collections.defaultdict(list), {}
        self.plan, self.kept, self.built, self.kernels = {}, {}, {}, collections.defaultdict(list)
        self.facts, self.skipped, self.read, self.fma = {}, [], [], 0
        for line in open(path):
            word = line.split()
            kind = word[0]
            if kind == 'time':
                _, model, name, threads, median, least, rss, _ = word
                self.time[model, name, int(threads)].append((float(median), float(least)))
                key = model, name.split('-')[0]
                self.rss[key] = max(self.rss.get(key, 0), int(rss))
            elif kind == 'peak' and word[1] == 'fma':
                self.fma = float(word[2])
            elif kind == 'peak':
                self.read.append((int(word[2]), float(word[3])))
            elif kind == 'plan':
                self.plan[word[1]] = [float(v) for v in word[2:]]
            elif kind == 'kept':
                self.kept[word[1]] = [float(v) for v in word[2:]]
            elif kind == 'built':
                self.built[word[1]] = [float(v) for v in word[2:]]
            elif kind == 'kernel':
                self.kernels[word[1]].append((word[2], *[float(v) for v in word[3:]]))
            elif kind == 'skipped':
                self.skipped.append(' '.join(word[2:]))
            else:
                self.facts[kind] = ' '.join(word[1:])
        load = self.facts.get('load', '0 0 0').split()
        cores = self.facts.get('machine', '1 cores').split()[-2]
        self.busy = [v for v in load[:2] if v != '?' and cores != '?' and float(v) > 1.5 * float(cores)] != []
        self.models = [m for m in TITLES if m in self.built]

    def figure(self, model, name, threads):
        """The median over the rounds, of the best of what begins with name; None."""
        of = min if self.busy else statistics.median
        found = [of(pair[self.busy] for pair in v) for (m, n, t), v in self.time.items()
                 if m == model and t in threads and n.split('-')[0] == name]
        return min(found) if found else None

    def bandwidth(self, size):
        """GB/s of a core where so many bytes fit: the measured level nearest below four times its size."""
        for level, rate in self.read:
            if size <= 4 * level:
                return rate
        return self.read[-1][1]

    def floor(self, model, threads):
        """ms"""
        kept, arena = self.kept[model]
        return (self.plan[model][0] * 1e6 / (self.fma * 1e9) + 2 * kept / (self.bandwidth(arena) * 1e9)) / threads * 1e3

    def bound(self, mflop, megabytes):
        """us of a kernel on one core"""
        return max(mflop * 1e6 / (self.fma * 1e9), megabytes * 1e6 / (self.bandwidth(megabytes * 1e6) * 1e9)) * 1e6


def number(value, digits=3):
    return '-' if value is None else f'{value:.{digits}g}' if value < 10 ** digits else f'{value:.0f}'


def ratio(a, b):
    return a / b if a and b else None


def table(to, head, rows):
    to.append('| ' + ' | '.join(head) + ' |')
    to.append('| ' + ' | '.join('---' for _ in head) + ' |')
    to.extend('| ' + ' | '.join(row) + ' |' for row in rows)
    to.append('')


def machine(raw, to):
    reads = ', '.join(f'{rate:.0f} GB/s from {size // 1024} KB' for size, rate in raw.read)
    rounds, clock = raw.facts.get('rounds', '? wall').split()
    to += ['# Results of `make bench`', '',
           f'{raw.facts.get("machine", "?")}; {raw.facts.get("compiler", "?")}; {raw.facts.get("dlnc", "dlnc")}'
           + (f'; PyTorch {raw.facts["torchversion"]}' if 'torchversion' in raw.facts else '') + '.',
           f'One core: {raw.fma:.0f} GF/s of multiply-adds in registers; reading {reads}.',
           f'{"The quickest step" if raw.busy else "Medians"} of {rounds} rounds of alternating runs' + ('.' if clock == 'wall' else
           ' of one thread, by the processor\'s own time: the machine was not quiet.')]
    if 'load' in raw.facts:
        begin, end, nice = raw.facts['load'].split()
        to += [f'The machine\'s load was {begin} when the steps began and {end} when they ended (1 is this benchmark alone)'
               + (f'; it ran at priority {nice}.' if nice != '0' else '.')
               + (' That is not a quiet machine: figures are the quickest step of each side, since medians say more about '
                  'the other programs; what needs two cores at once suffers most, ours and PyTorch\'s.' if raw.busy else '')]
    to += [f'Left out: {why}.' for why in raw.skipped] + ['']


def steps(raw, to):
    to += ['## A training step, ms', '', 'Ratios: how many times as long as ours, each side at its best of 1 and 2 '
           'threads (one core each: both on one). The floor is of one core.', '']
    rows = []
    for m in raw.models:
        one, two, best = (raw.figure(m, 'ours', t) for t in ((1,), (2,), (1, 2)))
        floor = raw.floor(m, 1)
        rows.append([TITLES[m], number(one), number(two), number(raw.figure(m, 'hand', (1,))),
                     number(raw.figure(m, 'hand', (2,))), number(raw.figure(m, 'best', (1, 2))),
                     number(ratio(raw.figure(m, 'best', (1, 2)), best)),
                     number(ratio(raw.figure(m, 'installed', (1, 2)), best)),
                     number(ratio(raw.figure(m, 'onecore', (1,)), one)), number(floor),
                     f'{100 * floor / one:.0f} %' if one else '-'])
    table(to, ['step', 'ours, 1 thread', '2', 'by hand, 1', '2', 'PyTorch at its best', 'at its best / ours',
               'as installed / ours', 'one core each', 'floor', 'share of the floor'], rows)


def mean(values):
    values = [v for v in values if v]
    return statistics.geometric_mean(values) if values else None


def goal_rows(raw):
    """(what, goal, figure, met or None)"""
    def at_least(what, goal, value, unit='x'):
        shown = None if value is None else f'{100 * value:.0f} %' if unit == '%' else f'{number(value)}{unit}'
        aim = f'>= {100 * goal:.0f} %' if unit == '%' else f'>= {goal}{unit}'
        return what, aim, shown, value is not None and value >= goal

    def at_most(what, goal, value, unit):
        return what, f'<= {goal}{unit}', None if value is None else f'{number(value)}{unit}', value is not None and value <= goal

    best, installed = {}, {}
    for m in raw.models:
        ours = raw.figure(m, 'ours', (1, 2))
        best[m], installed[m] = (ratio(raw.figure(m, n, (1, 2)), ours) for n in ('best', 'installed'))
        one, two, hand = raw.figure(m, 'ours', (1,)), raw.figure(m, 'ours', (2,)), raw.figure(m, 'hand', (1,))
        yield at_least(f'{m}: PyTorch at its best', BEST[m], best[m])
        if m == 'seed':
            yield at_least(f'{m}: PyTorch as installed', 3.4, installed[m])
        if m in SHARE:
            yield at_least(f'{m}: share of the floor, 1 thread', SHARE[m], ratio(raw.floor(m, 1), one), '%')
        if m in HAND:
            yield at_most(f'{m}: against the step by hand, 1 thread', 1.05, ratio(one, hand), 'x')
        if two and one >= 0.1:
            yield at_least(f'{m}: two cores', 1.85, ratio(one, two))
        elif two:
            yield at_least(f'{m}: two cores', 1, ratio(one, two))
        arena = raw.plan[m][2] / raw.plan[m][3] if raw.plan[m][3] else 1
        yield at_most(f'{m}: memory of a step against the most alive at once', 1.05, arena, 'x')
        yield at_most(f'{m}: peak memory against PyTorch', 0.2, ratio(raw.rss.get((m, 'ours')), raw.rss.get((m, 'best'))), 'x')
        if m in ('seed', 'resnet20'):
            yield at_most(f'{m}: dlnc', 50 if m == 'seed' else 100, raw.built[m][0] * 1e3, ' ms')
            yield at_most(f'{m}: cc', 3 if m == 'seed' else 8, raw.built[m][1], ' s')
        if m == 'kerascnn':
            yield at_most(f'{m}: text of the C', 60, raw.built[m][2] / 1024, ' KB')
    if len(raw.models) == len(TITLES):
        yield at_least('all: PyTorch at its best, geometric mean', 2.9, mean(best.values()))
        yield at_least('all: PyTorch as installed, geometric mean', 3.5, mean(installed.values()))


def goals(raw, to):
    rows = [[what, aim, shown or 'not measured', '' if shown is None else 'yes' if met else '**no**']
            for what, aim, shown, met in goal_rows(raw)]
    to += ['## Goal beside figure', '']
    table(to, ['what', 'goal', 'figure', 'met'], rows)


def missed(raw, to):
    """Of each model with a goal missed in time: the kernels that lose most against their bounds."""
    of = collections.defaultdict(list)
    for what, aim, shown, met in goal_rows(raw):
        model, what = what.split(': ', 1)
        if shown and not met:
            of[model].append(f'{what} {shown}, not {aim}')
    if not of:
        return
    to += ['## Goals missed, and where the time goes', '', 'Behind each model the kernels that lose most: time above the bound '
           'on one core, and the share of the bound they reach.', '']
    for m, goals in of.items():
        to.append(f'- **{m}**: {"; ".join(goals)}.')
        if m not in raw.kernels:
            continue
        lost = sorted(((k[2] - raw.bound(k[3], k[4]), k) for k in raw.kernels[m]), key=lambda p: -p[0])
        whole = sum(max(0, l) for l, _ in lost)
        named = [f'{k[0]} {l / 1e3:.3g} ms ({100 * raw.bound(k[3], k[4]) / k[2]:.0f} %)' for l, k in lost[:6] if l > 0.03 * whole]
        to.append(f'  Lost in kernels, {whole / 1e3:.3g} ms in all: {", ".join(named)}.')
    to.append('')


def kernels(raw, to):
    to += ['## Where the time goes', '', 'Kernels of a step on one core, with barriers between them: the quickest of the '
           'steps. Bound: operations at the measured peak, or every tensor touched once at the '
           'bandwidth of where they fit, whichever is longer. Profiled at '
           'another moment than the steps above: on a busy machine the sum may be larger than the step.', '']
    for m in raw.models:
        rows, all_us = [], sum(k[2] for k in raw.kernels[m]) or 1
        for name, _, least, mflop, megabytes in sorted(raw.kernels[m], key=lambda k: -k[2])[:16]:
            if least < 0.005 * all_us:
                continue
            rate = f'{mflop * 1e6 / least / 1e3:.1f}' if mflop else '-'
            rows.append([name, f'{least / 1e3:.3f}', f'{100 * least / all_us:.0f} %', rate,
                         f'{megabytes / least * 1e3:.1f}', f'{min(1, raw.bound(mflop, megabytes) / least) * 100:.0f} %'])
        bound = sum(raw.bound(k[3], k[4]) for k in raw.kernels[m])
        to += [f'### {TITLES[m]}', '', f'{all_us / 1e3:.3f} ms in {len(raw.kernels[m])} kernels; the sum of their bounds '
               f'is {bound / 1e3:.3f} ms.', '']
        table(to, ['kernel', 'ms', 'of the step', 'GF/s', 'GB/s', 'of its bound'], rows)


def building(raw, to):
    to += ['## Memory and building', '']
    rows = []
    for m in raw.models:
        _, _, scratch, live = raw.plan[m]
        dlnc, cc, text, code = raw.built[m]
        rows.append([m, f'{raw.kept[m][1] / 1e6:.2f} MB', f'{scratch / 1e6:.2f} MB', f'{live / 1e6:.2f} MB',
                     f'{raw.rss.get((m, "ours"), 0) / 1024:.0f} MB',
                     f'{raw.rss[m, "best"] / 1024:.0f} MB' if (m, 'best') in raw.rss else '-',
                     f'{dlnc * 1e3:.0f} ms', f'{cc:.1f} s', f'{text / 1024:.0f} KB', f'{code / 1024:.0f} KB'])
    table(to, ['model', 'memory to train', 'of it for one step', 'alive at once', 'peak RSS', 'PyTorch\'s', 'dlnc', 'cc',
               'text of the C', 'machine code'], rows)


def main():
    raw = Raw(sys.argv[1])
    to = []
    machine(raw, to)
    steps(raw, to)
    to += [f'![how many times as long as ours]({os.path.basename(sys.argv[3])})', '']
    goals(raw, to)
    missed(raw, to)
    kernels(raw, to)
    shapes_text(raw, sys.argv[1] + '.shapes', table, to)
    ulp_text(sys.argv[1] + '.ulp', table, to)
    csv_text(sys.argv[1] + '.csv', table, to)
    building(raw, to)
    to += ['Made by `make bench`: bench/run builds and runs, bench/report.py writes.']
    with open(sys.argv[2], 'w') as f:
        f.write('\n'.join(to) + '\n')
    bars = []
    for m in raw.models:
        ours = raw.figure(m, 'ours', (1, 2))
        bars.append((TITLES[m], [ratio(raw.figure(m, n, (1, 2)), ours) for n in ('hand', 'best', 'installed')]))
    with open(sys.argv[3], 'w') as f:
        f.write(chart(bars, ['by hand', 'PyTorch at its best', 'PyTorch as installed']))


main()
