"""sequences.py: recurrent layers and attention beside torch.nn's modules, whose parameters are made of ours (so that the
gradients come back in our order). What the modules do not have (masks that keep the state) is written out with their
own equations. SPDX-License-Identifier: MIT"""
import torch
from torch.nn.utils.stateless import functional_call
from vectors import Family

gates = lambda q: torch.cat([q.chunk(3, -1)[k] for k in (1, 0, 2)], -1)          # ours: z r n, PyTorch's: r z n

def run(kind, x, w, h0=None, c0=None, activation='tanh'):
    """All states of a module over x[n, t, i]. w: wx, wh and biases in our order of axes."""
    wx, wh, b1, b2 = w
    order = gates if kind == 'gru' else lambda q: q
    u = wh.shape[0]
    zero = torch.zeros(1, x.shape[0], u)
    state = zero if h0 is None else h0[None]
    if kind == 'lstm': state = (state, zero if c0 is None else c0[None])
    flat = [order(wx).t(), order(wh).t(), order(b1), order(b2)]
    call = {'lstm': torch._VF.lstm, 'gru': torch._VF.gru, 'rnn': torch._VF.rnn_relu if activation == 'relu' else torch._VF.rnn_tanh}[kind]
    return call(x, state, flat, True, 1, 0., True, False, True)[0]      # what torch.nn.LSTM and the others call

def cell(kind, x, h, c, w):
    wx, wh, b1, b2 = w
    if kind == 'lstm': return torch._VF.lstm_cell(x, (h, c), wx.t(), wh.t(), b1, b2)
    if kind == 'gru': return torch._VF.gru_cell(x, h, gates(wx).t(), gates(wh).t(), gates(b1), gates(b2)), c
    return torch._VF.rnn_tanh_cell(x, h, wx.t(), wh.t(), b1, b2), c

def run_masked(kind, x, mask, w):
    h = c = torch.zeros(x.shape[0], w[1].shape[0])
    out = []
    for t in range(x.shape[1]):
        new, newc = cell(kind, x[:, t], h, c, w)
        keep = mask[:, t, None].bool()
        h, c = torch.where(keep, new, h), torch.where(keep, newc, c)
        out.append(h)
    return torch.stack(out, 1)

def weights(kind, i, u):
    g = {'lstm': 4, 'gru': 3, 'rnn': 1}[kind] * u
    return dict(wx=(i, g), wh=(u, g), **({'bx': (g,), 'bh': (g,)} if kind == 'gru' else {'b': (g,), 'b2': (g,)}))

def recurrent():
    for kind in ('rnn', 'lstm', 'gru'):
        c = Family(kind, f'{kind}: sizes, directions, sequences, first states, masks')
        def one(t, i, u, sequences=False, reverse=False, also={}, masked=False, activation=None):
            call = f'{kind}({u}'
            if activation: call += f', {activation}'
            if sequences: call += ', sequences = true'
            if reverse: call += ', reverse = true'
            for name in also: call += f', {name} = {{{name}}}'
            if masked: call += ', mask = {m}'
            def f(x, *rest):
                w, rest = rest[:4], dict(zip([*also, *(['m'] if masked else [])], rest[4:]))
                if reverse: x = x.flip(1)
                h = run_masked(kind, x, rest['m'].flip(1) if reverse else rest['m'], w) if masked else run(kind, x, w, rest.get('h0'), rest.get('c0'), activation or 'tanh')
                return (h.flip(1) if reverse else h) if sequences else h[:, -1]
            c.case(call + ', @)', f, (t, i), weights(kind, i, u), also={name: (u,) for name in also},
                   fields=dict(m=('bool', (t,), 2)) if masked else {})
        one(4, 3, 2); one(1, 2, 3); one(3, 1, 1); one(6, 2, 4)
        one(4, 3, 2, sequences=True); one(4, 3, 2, reverse=True); one(4, 2, 3, sequences=True, reverse=True)
        one(3, 2, 2, also=('h0',)); one(3, 2, 2, sequences=True, also=('h0',)); one(3, 2, 2, reverse=True, also=('h0',))
        if kind == 'lstm': one(3, 2, 2, also=('c0',)); one(3, 2, 2, sequences=True, also=('h0', 'c0'))
        one(5, 2, 3, masked=True); one(5, 2, 3, sequences=True, masked=True); one(5, 2, 2, reverse=True, masked=True)
        if kind == 'rnn': one(4, 2, 3, activation='relu'); one(4, 2, 3, activation='relu', sequences=True)
        if kind == 'gru':
            def before(x, wx, wh, bx, bh):                       # Cho's first form, which torch.nn.GRU does not have
                h = torch.zeros(x.shape[0], wh.shape[0])
                for t in range(x.shape[1]):
                    (az, ar, an), (wz, wr, wn), (bz, br, bn) = (x[:, t] @ wx + bx).chunk(3, -1), wh.chunk(3, -1), bh.chunk(3, -1)
                    z, r = torch.sigmoid(az + h @ wz + bz), torch.sigmoid(ar + h @ wr + br)
                    h = z * h + (1 - z) * torch.tanh(an + (r * h) @ wn + bn)
                return h
            c.case('gru(3, reset_after = false, @)', before, (4, 2), weights('gru', 2, 3))
        for merge, f in (('', lambda a, b: torch.cat([a, b], -1)), (', add', lambda a, b: a + b), (', multiply', lambda a, b: a * b)):
            names = weights(kind, 2, 3)
            w = {f'{kind}{k}.{n}': s for k in ('', '_2') for n, s in names.items()}
            c.case(f'bidirectional({kind}(3){merge}, @)', lambda x, *q: f(run(kind, x, q[:4])[:, -1], run(kind, x.flip(1), q[4:])[:, -1]), (3, 2), w)
            c.case(f'bidirectional({kind}(3, sequences = true){merge}, @)', lambda x, *q: f(run(kind, x, q[:4]), run(kind, x.flip(1), q[4:]).flip(1)), (3, 2), w)
        c.write()

def heads_of(x, context, w, causal, mask, biased):
    """Attention as torch.nn.MultiheadAttention has it."""
    wq, wk, wv, wo, *b = w
    c, h, d = wq.shape; e = wk.shape[0]
    flat = lambda q: q.reshape(q.shape[0], h * d).t()
    m = torch.nn.MultiheadAttention(c, h, batch_first=True, bias=biased, kdim=e, vdim=e)
    p = {'out_proj.weight': wo.reshape(h * d, c).t()}
    if e == c: p['in_proj_weight'] = torch.cat([flat(wq), flat(wk), flat(wv)])
    else: p.update(q_proj_weight=flat(wq), k_proj_weight=flat(wk), v_proj_weight=flat(wv))
    if biased: p.update({'in_proj_bias': torch.cat([q.flatten() for q in b[:3]]), 'out_proj.bias': b[3]})
    arguments = dict(need_weights=False)
    if causal: arguments['attn_mask'] = torch.triu(torch.ones(x.shape[1], context.shape[1], dtype=bool), 1)
    if mask is not None: arguments['key_padding_mask'] = ~mask.bool()
    return functional_call(m, p, (x, context, context), arguments)[0]

def any_dim(x, w):
    """Heads of another width than channels / heads, which the module does not have: the equation itself."""
    wq, wk, wv, wo, bq, bk, bv, bo = w
    q, k, v = (torch.einsum('ntc,chd->nhtd', x, u) + b[:, None] for u, b in ((wq, bq), (wk, bk), (wv, bv)))
    p = (q @ k.transpose(2, 3) / wq.shape[2]**.5).softmax(-1)
    return torch.einsum('nhtd,hdi->nti', p @ v, wo) + bo

def attention():
    c = Family('attention', 'attention: heads, causal, masks, cross-attention, no bias')
    def one(t, ch, heads, causal=False, masked=False, context=None, bias=True, dim=None):
        call = f'attention({heads}'
        d, e = dim or ch // heads, context[1] if context else ch
        if dim: call += f', dim = {dim}'
        if context: call += ', context = {e}'
        if causal: call += ', causal = true'
        if masked: call += ', mask = {m}'
        if not bias: call += ', bias = false'
        w = dict(wq=(ch, heads, d), wk=(e, heads, d), wv=(e, heads, d), wo=(heads, d, ch))
        if bias: w.update(bq=(heads, d), bk=(heads, d), bv=(heads, d), bo=(ch,))
        s = context[0] if context else t
        def f(x, *rest):
            ours, rest = rest[:len(w)], rest[len(w):]
            if dim: return any_dim(x, ours)
            return heads_of(x, rest[0] if context else x, ours, causal, rest[-1] if masked else None, bias)
        c.case(call + ', @)', f, (t, ch), w, also=dict(e=context) if context else {}, fields=dict(m=('bool', (s,), 2)) if masked else {})
    one(3, 4, 2); one(4, 3, 1); one(2, 4, 4); one(1, 2, 1); one(5, 4, 2)
    one(4, 4, 2, causal=True); one(5, 3, 3, causal=True); one(4, 4, 2, bias=False); one(4, 4, 2, causal=True, bias=False)
    one(4, 4, 2, masked=True); one(4, 2, 1, masked=True); one(3, 4, 2, context=(5, 4)); one(3, 4, 2, context=(2, 6)); one(3, 4, 2, context=(4, 3), bias=False)
    one(3, 4, 2, context=(5, 4), masked=True); one(3, 4, 2, dim=3); one(4, 2, 3, dim=1)
    c.differs('a mask that hides every place of a sample: both give nan, no sample here has one. dropout: other random numbers.')
    c.write()

ALL = (recurrent, attention)
