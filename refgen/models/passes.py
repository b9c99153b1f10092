r"""The passes through a network that its value, gradient by x and Hessian's products share.

With the layers z_k = a_{k-1} W_k + b_k and a_k = silu(z_k), and f = a_L W + b: tangents run forward along a
direction v, adjoints backward. Each costs one product of matrices a layer, and is computed once:

.. math:: e_{k-1}=\delta_kW_k^\top,\ \delta_k=\phi'_k e_k;\qquad
          \dot z_k=\dot a_{k-1}W_k,\ \dot a_k=\phi'_k\dot z_k;\qquad
          \lambda_k=\phi'_k\bar a_k+\phi''_k\dot z_ke_k,\ \bar a_{k-1}=\lambda_kW_k^\top

The gradient is delta_1 W_1^T, the Hessian's product with v lambda_1 W_1^T. Source: Pearlmutter 1994.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from refgen.autodiff import array_module
from refgen.nets.mlp import MLP

__all__ = ["Tape"]

Array = Any


class Tangent:
    """What runs along one direction v: the derivatives of z and a by it, and the adjoints of a and z."""

    def __init__(self, tape: Tape, v: Array):
        self.v = v
        a_dot = v
        self.z_dot, self.a_dot = [], [v]
        for weight, slope in zip(tape.weights, tape.slopes, strict=True):
            z_dot = a_dot @ weight
            a_dot = slope * z_dot
            self.z_dot.append(z_dot)
            self.a_dot.append(a_dot)
        self.a_bar: list[Array] = []
        self.z_bar: list[Array] = []
        a_bar: Array = 0.0
        for weight, slope, bend, z_dot in reversed(
            list(zip(tape.weights, tape.slopes, tape.bends, self.z_dot, strict=True))
        ):
            z_bar = bend * z_dot
            if self.a_bar:
                z_bar += slope * a_bar
            self.a_bar.insert(0, a_bar)
            self.z_bar.insert(0, z_bar)
            a_bar = z_bar @ weight.T
        self.product = a_bar


class Tape:
    """The passes through a network that its derivatives share; what nobody asks for is not computed."""

    def __init__(self, net: MLP, params: Array, x: Array):
        *hidden, self.last, bias = net.layout.views(params)
        self.net, self.weights = net, hidden[::2]
        self.a, self.gates, self.z = [x], [], []
        for weight, shift in zip(self.weights, hidden[1::2], strict=True):
            z = self.a[-1] @ weight
            z += shift
            gate = np.tanh(0.5 * z)
            gate *= 0.5
            gate += 0.5
            self.a.append(z * gate)
            self.gates.append(gate)
            self.z.append(z)
        self.value = (self.a[-1] @ self.last + bias)[:, 0]
        self.slopes: list[Array] = []
        self.bends: list[Array] = []
        self.tangents: list[Tangent] = []

    def backward(self) -> Array:
        """The gradient by x; keeps phi', e and delta."""
        if not self.slopes:
            for a, gate in zip(self.a[1:], self.gates, strict=True):
                slope = 1 - gate
                slope *= a
                slope += gate
                self.slopes.append(slope)
            e = self.last.T
            self.e: list[Array] = []
            self.delta: list[Array] = []
            for weight, slope in zip(self.weights[::-1], self.slopes[::-1], strict=True):
                delta = slope * e
                self.e.insert(0, e)
                self.delta.insert(0, delta)
                e = delta @ weight.T
            self.gradient = e
        return self.gradient

    def along(self, v: Array) -> Tangent:
        """The tangent along v."""
        self.backward()
        if not self.bends:
            self.curves, self.bends = [], []
            for z, a, gate, e in zip(self.z, self.a[1:], self.gates, self.e, strict=True):
                curve = gate * (1 - gate)
                curve *= 2 + z - 2 * a
                self.curves.append(curve)
                self.bends.append(curve * e)
        for known in self.tangents:
            if known.v is v:
                return known
        self.tangents.append(Tangent(self, v))
        return self.tangents[-1]

    def param_gradient(
        self, pairs: list[list[tuple[Array, Array]]], shifts: list[Array], top: Array
    ) -> Array:
        """Flat: for W_k the sum of left^T right over pairs, for b_k that of shifts; top for the last."""
        flat = array_module(top).zeros(self.net.size, top.dtype)
        parts = self.net.layout.views(flat)
        for weight, shift, of_layer, down in zip(parts[:-2:2], parts[1:-2:2], pairs, shifts, strict=True):
            for left, right in of_layer:
                weight += left.T @ right
            shift += np.sum(down, axis=0)
        parts[-2][:, 0] = np.sum(top, axis=0)
        return flat

    def by_params(self, g: Array) -> Array:
        """The derivative by params of the sum of g f. g: (n,)."""
        self.backward()
        rows = g[:, None]
        down = [rows * delta for delta in self.delta]
        flat = self.param_gradient(
            [[pair] for pair in zip(self.a, down, strict=False)], down, rows * self.a[-1]
        )
        flat[-1] = np.sum(g)
        return flat

    def gradient_by_params(self, v: Array) -> Array:
        """The derivative by params of the sum over points of v . grad f."""
        t = self.along(v)
        pairs = [
            [(a, z_bar), (a_dot, delta)]
            for a, z_bar, a_dot, delta in zip(self.a, t.z_bar, t.a_dot, self.delta, strict=False)
        ]
        return self.param_gradient(pairs, t.z_bar, t.a_dot[-1])

    def product_by_params(self, u: Array, v: Array) -> tuple[Array, Array]:
        """The derivatives by params and by x of the sum over points of u . H v."""
        of_u, of_v = self.along(u), self.along(v)
        a_dots, a_dot = [array_module(u).zeros_like(u)], None  # the second derivatives along u and v
        z_dots: list[Array] = []
        cross: list[Array] = []
        for weight, slope, curve, p, q in zip(
            self.weights, self.slopes, self.curves, of_u.z_dot, of_v.z_dot, strict=True
        ):
            product = p * q
            cross.append(product)
            a_dot_new = curve * product
            if a_dot is None:
                z_dots.append(None)
            else:
                z_dots.append(a_dot @ weight)
                a_dot_new += slope * z_dots[-1]
            a_dot = a_dot_new
            a_dots.append(a_dot)
        a_bar: Array = None
        down: list[Array] = []
        for k in reversed(range(len(self.weights))):
            gate, curve = self.gates[k], self.curves[k]
            inner = gate * (1 - gate)
            third = (1 - 2 * gate) * curve + inner * (1 - 2 * gate - 2 * self.a[k + 1] * (1 - gate))
            z_bar = third * (cross[k] * self.e[k])
            if z_dots[k] is not None:
                z_bar += self.bends[k] * z_dots[k]
            if a_bar is not None:
                z_bar += self.slopes[k] * a_bar
                z_bar += curve * (of_u.z_dot[k] * of_v.a_bar[k] + of_v.z_dot[k] * of_u.a_bar[k])
            down.insert(0, z_bar)
            a_bar = z_bar @ self.weights[k].T
        pairs = [
            [(a, z_bar), (p, q_bar), (q, p_bar), *([] if k == 0 else [(a_dot, delta)])]
            for k, (a, z_bar, p, q_bar, q, p_bar, a_dot, delta) in enumerate(
                zip(
                    self.a,
                    down,
                    of_u.a_dot,
                    of_v.z_bar,
                    of_v.a_dot,
                    of_u.z_bar,
                    a_dots,
                    self.delta,
                    strict=False,
                )
            )
        ]
        return self.param_gradient(pairs, down, a_dots[-1]), a_bar
