"""An embedding model's weights as an ONNX file: in float32, or in 8-bit integers, which is quicker.

Only for BERT, the architecture of all-MiniLM-L6-v2; of others ``make`` says that it cannot.

In the 8-bit file each linear layer scales every token's input by its own largest absolute value,
rounds it to 8 bits, and multiplies it with weights that are rounded with a scale for each output
channel. So nothing depends on the other tokens, and a text's vector not on those that are embedded
beside it. Channels with outliers are evened out beforehand: part of their size is moved from the
activations into the weights (SmoothQuant, Xiao et al., ICML 2023, equation 4), by what the
activations are for a few texts of different kinds.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from index.onnx_model import Encoder

VERSION = 1
"""Changes when another file is made of the same weights."""

INPUT, OUTPUT = "input_ids", "last_hidden_state"

_OF_ONNXRUNTIME = "com.microsoft"  # where its own operators are: fused ones, and integer products

_SMOOTHING = 0.6
"""How much of a channel's size is moved: alpha of SmoothQuant. docs/notes.md has what was tried."""

_TOP = 127  # the largest value in 8 bits

_TOP_OF_SEVEN = 63
"""In 7 bits, for processors whose sums of two products overflow (x86 without VNNI)."""

_LIKE = 0.99
"""Cosine to the vectors of float32 that those of 8 bits must have, else 7 bits are taken."""

_CALIBRATION = """\
The lighthouse keeper wrote down the wind, the tide and every ship that had passed before noon.
Switch the pump off at the wall, close both valves, and turn the housing by hand; keep the seal.
In 1897 the mill had 214 workers, most of them from within two miles (3.2 km); in 1911 it had 96.
What happens to a deposit if the tenant leaves before the end of the lease?
Fewer patients fell ill again with the drug (12% against 31%, p < 0.01), though more felt sick.
import os; print(os.environ.get("HOME", "/root"))  # None if the variable is not set
The court held that notice by e-mail was enough, for the contract did not ask for any form.
Simmer the onions slowly in butter, add the flour, and whisk in warm milk until the sauce thickens.
Error 0x80070005: access is denied. Run it as an administrator, or choose a folder of your own.
Plants turn light into chemical energy, which they store in molecules made of air and water.
The bridge, opened by the queen, carries a road, a railway and a footpath over the gorge.
Revenue rose 4.3% to $18.2 million in the third quarter; freight and energy cost twice as much.
She had not expected the letter, and sat with it unopened for a long time, watching the rain.
Which glands make the hormones that regulate calcium?
Version 2.4.1 fixes a leak in the parser, adds --no-cache, and deprecates XML; see CHANGELOG.md.
The team won three matches and drew one, and came second in the group behind Brazil.
Granite is made mostly of quartz, feldspar and mica; it forms where magma cools slowly.
Members may borrow six books for four weeks. A fine of 20 pence a day is charged after that.
Let f be continuous on the closed interval [a, b]; then f attains its maximum and its minimum.
hi, my order #55821 still hasn't arrived, can someone check where it is?? thanks"""
"""Texts of different kinds, whose activations are looked at."""

_Array = NDArray[np.float32]


class NotSupportedError(Exception):
    """The weights are of a model that this module cannot write."""


def make(folder: Path, path: Path, *, is_small: bool) -> None:
    """Writes the model in ``folder`` to ``path``: float32, or in 8 bits if it ``is_small``.

    Raises NotSupportedError for a model other than BERT's, OSError if it cannot be written.
    """
    bert = _Bert.read(folder)
    whole = _Graph(bert, None, watches=is_small)
    _write(whole.built(), path)
    if is_small:
        looked = _look(path, folder)
        smoothing = _smoothing(whole, {name: one for name, one in looked.items() if name != OUTPUT})
        for top in (_TOP, _TOP_OF_SEVEN):
            _write(_Graph(bert, smoothing, top=top).built(), path)
            if _likeness(looked[OUTPUT], _look(path, folder)[OUTPUT]) >= _LIKE:
                break


@dataclass(frozen=True)
class _Bert:
    """The weights, and what shape they are."""

    size: int  # of a token's state
    heads: int
    layers: int
    epsilon: float
    weights: Mapping[str, _Array]

    @classmethod
    def read(cls, folder: Path) -> "_Bert":
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = (
            config.get("model_type"),
            config.get("hidden_act"),
            config.get("position_embedding_type", "absolute"),
        )
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
        if kind != ("bert", "gelu", "absolute") or not pooling["pooling_mode_mean_tokens"]:
            raise NotSupportedError(f"{folder.name} is no BERT whose tokens' mean is taken: {kind}")
        tensors = load_file(folder / "model.safetensors")
        return cls(
            size=config["hidden_size"],
            heads=config["num_attention_heads"],
            layers=config["num_hidden_layers"],
            epsilon=config["layer_norm_eps"],
            weights={
                name.removeprefix("bert."): tensor.astype(np.float32)
                for name, tensor in tensors.items()
                if tensor.dtype.kind == "f"
            },
        )

    def linear(self, name: str) -> tuple[_Array, _Array]:
        """A layer's weights, (inputs, outputs), and bias, (outputs,)."""
        return self.weights[f"{name}.weight"].T, self.weights[f"{name}.bias"]


@dataclass
class _Graph:
    """The operators of the model, one after the other."""

    bert: _Bert
    smoothing: Mapping[str, _Array] | None  # by linear layer; None for float32
    top: int = _TOP  # the largest weight
    watches: bool = False  # whether the inputs of the linear layers are outputs of the graph
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, TensorProto] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)  # of each linear layer
    weights: dict[str, _Array] = field(default_factory=dict)  # likewise, as they are in float32

    def built(self) -> onnx.ModelProto:
        """The whole model: token ids, int32 (n, tokens), to states, float32 (n, tokens, size)."""
        state = self._embeddings()
        for layer in range(self.bert.layers):
            state = self._layer(layer, state)
        self.nodes.append(helper.make_node("Identity", [state], [OUTPUT]))
        outputs = [OUTPUT, *(dict.fromkeys(self.inputs.values()) if self.watches else ())]
        shape = ["texts", "tokens"]
        graph = helper.make_graph(
            self.nodes,
            "encoder",
            [helper.make_tensor_value_info(INPUT, TensorProto.INT32, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            list(self.constants.values()),
        )
        versions = [helper.make_opsetid("", 18), helper.make_opsetid(_OF_ONNXRUNTIME, 1)]
        return helper.make_model(graph, ir_version=9, opset_imports=versions)

    def _embeddings(self) -> str:
        weights = self.bert.weights
        words = weights["embeddings.word_embeddings.weight"]
        positions = weights["embeddings.position_embeddings.weight"]
        positions = positions + weights["embeddings.token_type_embeddings.weight"][0]
        if self.smoothing is None:
            word = self._add("Gather", self._constant("words", words), INPUT)
        else:
            scales = (np.maximum(np.abs(words).max(1, keepdims=True), 1e-12) / _TOP).astype("f4")
            small = np.rint(words / scales).astype(np.int8)
            whole = self._add("Gather", self._constant("words", small), INPUT)
            scale = self._add("Gather", self._constant("words.scales", scales), INPUT)
            word = self._add("Mul", self._add("Cast", whole, to=TensorProto.FLOAT), scale)
        length = self._add("Shape", INPUT, start=1, end=2)
        begin = self._constant("zero", np.array([0], np.int64))
        position = self._add("Slice", self._constant("positions", positions), begin, length)
        return self._add(
            "LayerNormalization",
            self._add("Add", word, position),
            *self._norm("embeddings.LayerNorm"),
            axis=-1,
            epsilon=self.bert.epsilon,
        )

    def _layer(self, layer: int, state: str) -> str:
        """Attention and feed-forward, each added to what came in, and normalised."""
        at, size = f"encoder.layer.{layer}", self.bert.size
        thirds = [self.bert.linear(f"{at}.attention.self.{one}") for one in _ATTENDING]
        weight = np.concatenate([one for one, _ in thirds], axis=1)
        bias = np.concatenate([one for _, one in thirds])
        out = f"{at}.attention.output.dense"
        if self.smoothing and out in self.smoothing:  # only the values go there, so it is free
            weight[:, 2 * size :] /= self.smoothing[out]
            bias[2 * size :] /= self.smoothing[out]
        product = self._linear(f"{at}.attention.self", state, weight)
        product = self._add("Add", product, self._constant(f"{at}.attention.self.bias", bias))
        split = self._constant("thirds", np.array([size] * 3, np.int64))
        parts = [f"{product}.{one}" for one in _ATTENDING]
        self.nodes.append(helper.make_node("Split", [product, split], parts, axis=-1))
        attended = self._own("MultiHeadAttention", *parts, num_heads=self.bert.heads)
        state = self._added_to(state, attended, f"{at}.attention.output")
        weight, bias = self.bert.linear(f"{at}.intermediate.dense")
        inner = self._linear(f"{at}.intermediate.dense", state, weight)
        inner = self._add("Add", inner, self._constant(f"{at}.intermediate.bias", bias))
        return self._added_to(state, self._own("Gelu", inner), f"{at}.output")

    def _added_to(self, state: str, inner: str, name: str) -> str:
        weight, bias = self.bert.linear(f"{name}.dense")
        return self._own(
            "SkipLayerNormalization",
            self._linear(f"{name}.dense", inner, weight),
            state,
            *self._norm(f"{name}.LayerNorm"),
            self._constant(f"{name}.bias", bias),
            epsilon=self.bert.epsilon,
        )

    def _linear(self, name: str, state: str, weight: _Array) -> str:
        """``state`` times ``weight``; what is added to it is left to the next operator."""
        self.inputs[name], self.weights[name] = state, weight
        if self.smoothing is None:
            return self._add("MatMul", state, self._constant(f"{name}.weight", weight))
        if name in self.smoothing:
            smooth = self.smoothing[name]
            weight = weight * smooth[:, np.newaxis]
            if not name.endswith("attention.output.dense"):  # there it is in what comes in
                inverse = self._constant(f"{name}.smoothing", (1 / smooth).astype(np.float32))
                state = self._add("Mul", state, inverse)
        scales = (np.maximum(np.abs(weight).max(axis=0), 1e-12) / self.top).astype(np.float32)
        small = np.clip(np.rint(weight / scales), -self.top, self.top).astype(np.int8)
        last = self._constant("last", np.array([-1], np.int64))
        largest = self._add("ReduceMax", self._add("Abs", state), last, keepdims=1)
        scale = self._constant("scale", np.array(1 / _TOP, np.float32))
        middle = self._constant("middle", np.array(_TOP + 1, np.uint8))
        rounded = self._add("QuantizeLinear", self._add("Div", state, largest), scale, middle)
        product = self._own(
            "MatMulIntegerToFloat",
            rounded,
            self._constant(f"{name}.weight", small),
            scale,
            self._constant(f"{name}.scales", scales),
            middle,
        )
        return self._add("Mul", product, largest)

    def _norm(self, name: str) -> tuple[str, str]:
        weights = self.bert.weights
        return (
            self._constant(f"{name}.weight", weights[f"{name}.weight"]),
            self._constant(f"{name}.bias", weights[f"{name}.bias"]),
        )

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def _add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Adds an operator; gives the name of its output."""
        name = f"{operator}.{len(self.nodes)}"
        node = helper.make_node(operator, inputs, [name], name=name, domain=domain, **attributes)
        self.nodes.append(node)
        return name

    def _own(self, operator: str, *inputs: str, **attributes: Any) -> str:
        return self._add(operator, *inputs, domain=_OF_ONNXRUNTIME, **attributes)


_ATTENDING = ("query", "key", "value")


def _look(path: Path, folder: Path) -> dict[str, list[_Array]]:
    """Every output of the file for each text of the calibration: (tokens, size)."""
    encoder = Encoder(path, folder)
    looked: dict[str, list[_Array]] = {}
    for text in _CALIBRATION.splitlines():
        for name, states in encoder.outputs(text).items():
            looked.setdefault(name, []).append(states)
    return looked


def _likeness(ones: Sequence[_Array], others: Sequence[_Array]) -> float:
    """The lowest cosine of the mean states of the same texts."""
    cosines = []
    for one, other in zip(ones, others, strict=True):
        left, right = one.mean(axis=0), other.mean(axis=0)
        cosines.append(left @ right / np.linalg.norm(left) / np.linalg.norm(right))
    return float(min(cosines))


def _smoothing(graph: _Graph, looked: Mapping[str, Sequence[_Array]]) -> dict[str, _Array]:
    """For each linear layer what its input's channels are divided by, and its weights' multiplied.

    Not for the second layer of the feed-forward: after GELU the outliers are in single tokens,
    not in channels.
    """
    smoothing: dict[str, _Array] = {}
    for name, weight in graph.weights.items():
        if name.endswith("output.dense") and "attention" not in name:
            continue
        states = np.abs(np.concatenate(looked[graph.inputs[name]])).max(axis=0)
        rows = np.maximum(np.abs(weight).max(axis=1), 1e-4)
        moved = np.maximum(states, 1e-3) ** _SMOOTHING / rows ** (1 - _SMOOTHING)
        smoothing[name] = (moved / np.exp(np.log(moved).mean())).astype(np.float32)
    return smoothing


def _write(model: onnx.ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString())
