# operators.py: the ONNX operators that dlnc writes, by the standard's text, in NumPy: a reference evaluator for Debian's
# python3-onnx, which has none (onnx.reference begins with 1.13). evaluate(model, inputs) gives the outputs by name.
# SPDX-License-Identifier: MIT
import math
import numpy
from numpy.lib.stride_tricks import sliding_window_view
from onnx import helper, mapping, numpy_helper

erf = numpy.vectorize(math.erf, otypes=[float])


def axes_of(a):
    return tuple(int(i) for i in a)


def padded(x, pads, value):
    """x[sample, channel, places..] with pads round the places"""
    half = len(pads) // 2
    return numpy.pad(x, [(0, 0), (0, 0), *zip(pads[:half], pads[half:])], constant_values=value)


def windows(x, a, fill):
    """[sample, channel, places.., taps..]"""
    n = len(a["kernel_shape"])
    steps, spread = a.get("strides", [1] * n), a.get("dilations", [1] * n)
    x = padded(x, a.get("pads", [0] * 2 * n), fill)
    spans = [(k - 1) * d + 1 for k, d in zip(a["kernel_shape"], spread)]
    seen = sliding_window_view(x, spans, axis=tuple(range(2, 2 + n)))
    return seen[(slice(None), slice(None), *(slice(None, None, s) for s in steps), *(slice(None, None, d) for d in spread))]


def conv(x, w, **a):
    assert list(w.shape[2:]) == list(a["kernel_shape"]), "kernel_shape is not the kernel's shape"
    group, n = a.get("group", 1), w.ndim - 2
    seen = windows(x, a, 0)
    each, filters = w.shape[1], w.shape[0] // group
    assert x.shape[1] == each * group, "channels and groups do not fit"
    places, taps = "cdef"[:n], "ghij"[:n]
    return numpy.concatenate([
        numpy.einsum(f"nx{places}{taps},ox{taps}->no{places}", seen[:, g * each:(g + 1) * each], w[g * filters:(g + 1) * filters])
        for g in range(group)], axis=1)


def max_pool(x, **a):
    n = len(a["kernel_shape"])
    return windows(x, a, -numpy.inf).max(axis=tuple(range(-n, 0)))


def average_pool(x, **a):
    assert a.get("count_include_pad") == 1 or not any(a.get("pads", []))
    n = len(a["kernel_shape"])
    return windows(x, a, 0).mean(axis=tuple(range(-n, 0)))


def slice_(x, starts, ends, axes=None, steps=None):
    at = [slice(None)] * x.ndim
    axes = range(len(starts)) if axes is None else axes
    for k, axis in enumerate(axes):
        step, extent = int(1 if steps is None else steps[k]), x.shape[axis]
        first, end = (int(v) + (extent if v < 0 else 0) for v in (starts[k], ends[k]))
        if step > 0:
            first, end = min(max(first, 0), extent), min(max(end, 0), extent)
        else:
            first, end = min(max(first, 0), extent - 1), min(max(end, -1), extent - 1)
        at[axis] = slice(first, None if end < 0 else end, step)
    return x[tuple(at)]


def reshape(x, shape):
    return x.reshape([x.shape[i] if e == 0 else int(e) for i, e in enumerate(shape)])


def expand(x, shape):
    return numpy.broadcast_to(x, numpy.broadcast_shapes(x.shape, axes_of(shape)))


def gather(x, at, axis=0):
    assert at.size == 0 or (at.min() >= -x.shape[axis] and at.max() < x.shape[axis]), "Gather: a place outside"
    return numpy.take(x, at, axis=axis)


def gather_nd(x, at, batch_dims=0):
    assert batch_dims == 1 and at.shape[-1] == 1 and at.min() >= 0 and at.max() < x.shape[1]
    return numpy.stack([row[places[..., 0]] for row, places in zip(x, at)])


def divide(x, y):
    return x / y if x.dtype.kind == "f" else (numpy.sign(x) * numpy.sign(y) * (abs(x) // abs(y))).astype(x.dtype)


def softmax(x, axis):
    assert axis in (-1, x.ndim - 1), "before opset 13 Softmax joins all axes from `axis` on"
    e = numpy.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def reduction(f):
    return lambda x, axes, keepdims=1: f(x, axis=axes_of(axes), keepdims=bool(keepdims))


OPERATORS = {
    "Identity": lambda x: x, "Neg": numpy.negative, "Not": numpy.logical_not, "Abs": numpy.abs, "Sign": numpy.sign,
    "Exp": numpy.exp, "Log": numpy.log, "Sqrt": numpy.sqrt, "Tanh": numpy.tanh, "Sin": numpy.sin, "Cos": numpy.cos,
    "Floor": numpy.floor, "Erf": lambda x: erf(x).astype(x.dtype), "Relu": lambda x: numpy.maximum(x, 0).astype(x.dtype),
    "Sigmoid": lambda x: 1 / (1 + numpy.exp(-x)),
    "Add": numpy.add, "Sub": numpy.subtract, "Mul": numpy.multiply, "Div": divide, "Mod": numpy.mod, "Pow": numpy.power,
    "Max": numpy.maximum, "Min": numpy.minimum, "Equal": numpy.equal, "Less": numpy.less, "Greater": numpy.greater,
    "LessOrEqual": numpy.less_equal, "GreaterOrEqual": numpy.greater_equal, "And": numpy.logical_and, "Or": numpy.logical_or,
    "Where": numpy.where, "Cast": lambda x, to: x.astype(mapping.TENSOR_TYPE_TO_NP_TYPE[to]),
    "MatMul": numpy.matmul, "Einsum": lambda *x, equation: numpy.einsum(equation.decode(), *x),
    "Softmax": softmax, "Conv": conv, "MaxPool": max_pool, "AveragePool": average_pool,
    "ReduceSum": reduction(numpy.sum), "ReduceMax": reduction(numpy.max), "ReduceMin": reduction(numpy.min),
    "ArgMax": lambda x, axis, keepdims: numpy.argmax(x, axis), "ArgMin": lambda x, axis, keepdims: numpy.argmin(x, axis),
    "Shape": lambda x: numpy.array(x.shape, numpy.int64), "Range": lambda a, b, step: numpy.arange(a, b, step, numpy.int64),
    "Reshape": reshape, "Transpose": lambda x, perm: x.transpose(perm), "Expand": expand, "Slice": slice_,
    "Squeeze": lambda x, axes: x.squeeze(axes_of(axes)), "Unsqueeze": lambda x, axes: numpy.expand_dims(x, axes_of(axes)),
    "Concat": lambda *x, axis: numpy.concatenate(x, axis), "Gather": gather, "GatherND": gather_nd,
    "Pad": lambda x, pads: numpy.pad(x, list(zip(pads[:x.ndim], pads[x.ndim:]))),
}


def scan(node, known, a):
    """states first, then what is scanned along its first axis; the body sees what is known outside"""
    body, scanned = a["body"], a["num_scan_inputs"]
    states = [known[name] for name in node.input[:len(node.input) - scanned]]
    sequences = [known[name] for name in node.input[len(states):]]
    stacks = [[] for _ in body.output[len(states):]]
    for step in zip(*sequences):
        values = dict(known, **{i.name: v for i, v in zip(body.input, [*states, *map(numpy.asarray, step)])})
        run(body, values)
        out = [values[o.name] for o in body.output]
        states = out[:len(states)]
        for stack, value in zip(stacks, out[len(states):]):
            stack.append(value)
    axes = a.get("scan_output_axes", [0] * len(stacks))
    back = a.get("scan_output_directions", [0] * len(stacks))
    return states + [numpy.stack(s[::-1] if b else s, axis) for s, axis, b in zip(stacks, axes, back)]


def run(graph, known):
    for node in graph.node:
        a = {x.name: helper.get_attribute_value(x) for x in node.attribute}
        if node.op_type == "Scan":
            known.update(zip(node.output, scan(node, known, a)))
            continue
        inputs = [known[name] for name in node.input]
        out = numpy.asarray(OPERATORS[node.op_type](*inputs, **a))
        if node.op_type in ("Add", "Mul", "Where", "Max", "Pow"):        # ONNX converts no types
            assert len({x.dtype for x in inputs if x.dtype != bool}) <= 1, f"{node.name}: types differ"
        known[node.output[0]] = out


def evaluate(model, inputs):
    known = dict(inputs, **{t.name: numpy_helper.to_array(t) for t in model.graph.initializer})
    with numpy.errstate(all="ignore"):
        run(model.graph, known)
    return {o.name: known[o.name] for o in model.graph.output}
