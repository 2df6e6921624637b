#!/usr/bin/env python3
"""make_weights.py: writes files/, which `run` reads: a PyTorch network's weights under PyTorch's names and axes
(backbone.safetensors, and variants of it with mistakes), inputs for it and what it predicts in float64. Needs
python3-torch (Debian 12: 1.13); the files are committed, so that the test does not."""
import json, os, struct
import numpy, torch
from torch import nn

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'files')
TYPES = {torch.float32: 'F32', torch.float64: 'F64', torch.float16: 'F16', torch.bfloat16: 'BF16', torch.int64: 'I64'}


def safetensors(name, tensors):
    header, at, data = {'__metadata__': {'format': 'pt'}}, 0, b''
    for key, t in tensors.items():
        t = t.detach().contiguous()
        raw = t.view(torch.int16).numpy().tobytes() if t.dtype == torch.bfloat16 else t.numpy().tobytes()
        header[key] = {'dtype': TYPES[t.dtype], 'shape': list(t.shape), 'data_offsets': [at, at + len(raw)]}
        at, data = at + len(raw), data + raw
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(f'{HERE}/{name}', 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + data)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return torch.relu(self.conv(x))


class Backbone(nn.Module):
    """The same network as `backbone` in net.dln, module by module."""
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.block = nn.ModuleList([Block(), Block()])
        self.deep = nn.Conv2d(4, 8, 3, groups=4)
        self.up = nn.ConvTranspose2d(8, 2, 2, stride=2)
        self.table = nn.Embedding(7, 6)
        self.lstm = nn.LSTM(6, 4, batch_first=True)
        self.gru = nn.GRU(4, 6, batch_first=True)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.layer = nn.LayerNorm(6)
        self.time = nn.Conv1d(6, 5, 3)
        self.rnn = nn.RNN(5, 3, batch_first=True)
        self.out = nn.Linear(8 * 8 * 2 + 3, 8)

    def forward(self, image, tokens):
        u = torch.relu(self.norm(self.stem(image.permute(0, 3, 1, 2))))
        for block in self.block:
            u = block(u)
        v = self.up(self.deep(u)).permute(0, 2, 3, 1).flatten(1)
        s = self.gru(self.lstm(self.table(tokens))[0])[0]
        s = self.layer(self.attention(s, s, s)[0])
        s = self.rnn(self.time(s.permute(0, 2, 1)).permute(0, 2, 1))[0][:, -1]
        return torch.tanh(self.out(torch.cat([v, s], 1)))


torch.manual_seed(1)
os.makedirs(HERE, exist_ok=True)
net = Backbone()
with torch.no_grad():
    for p in net.parameters():
        p.uniform_(-0.6, 0.6)
    net.norm.running_mean.uniform_(-0.5, 0.5)
    net.norm.running_var.uniform_(0.5, 2)
image, tokens = torch.rand(5, 6, 6, 3), torch.randint(0, 7, (5, 5))
numpy.save(f'{HERE}/image.npy', image.numpy())
numpy.save(f'{HERE}/tokens.npy', tokens.to(torch.int32).numpy())
numpy.save(f'{HERE}/target.npy', torch.rand(5, 2).numpy())

weights = dict(net.state_dict())
features = net.double().eval()(image.double(), tokens)
with open(f'{HERE}/features.csv', 'w') as f:
    for row in features.tolist():
        f.write(','.join(repr(v) for v in row) + '\n')

weights = {k: v.clone() for k, v in weights.items()}
weights = {k: v.float() if v.dtype == torch.float64 else v for k, v in weights.items()}
classifier = {'fc.weight': torch.zeros(10, 8), 'fc.bias': torch.zeros(10)}
safetensors('backbone.safetensors', {**weights, **classifier})

# the small model of errors.dln: dense(2, name = "layer") over 3 numbers
small = {'weight': torch.arange(6.).reshape(2, 3), 'bias': torch.tensor([-1., 2.])}
safetensors('fits.safetensors', small)
safetensors('wide.safetensors', {k: v.double() for k, v in small.items()})
safetensors('half.safetensors', {'weight': small['weight'].half(), 'bias': small['bias'].bfloat16()})
safetensors('turned.safetensors', {'weight': small['weight'].t(), 'bias': small['bias']})
safetensors('missing.safetensors', {'weight': small['weight']})
safetensors('extra.safetensors', {**small, 'scale': torch.ones(2)})
safetensors('whole.safetensors', {'bias': torch.tensor([1, 2]), 'weight': small['weight']})
safetensors('inside.safetensors', {'module.' + k: v for k, v in small.items()})
safetensors('own.safetensors', {'w': small['weight'].t(), 'b': small['bias']})
safetensors('infinite.safetensors', {**small, 'bias': torch.tensor([1., float('inf')])})
