"""The trunk of an `ffc_resnet` in products of matrices, a band of rows at a time.

Maps are [N,1,H,W,C]. A fast Fourier convolution is two loops (ONNX's `Scan`): over groups of the
spectrum's frequencies, which transforms columns, mixes channels and transforms back; and over bands
of rows, which does all the rest: the 3×3 convolutions in Winograd's form, the way back along the
rows, sums, ReLU, and then the following convolution's 1×1 product and transform of rows. So only
the maps between the two go through memory, and what a band needs stays in the caches.

A bias is added to a product of three axes: ONNX Runtime would make one operator of a product of
two axes, its bias and its ReLU, which works on one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.bands.extents import bands_of, frequency_groups
from lama_edge.exporters.graph.bands.winograd import (
    TILE,
    results,
    transformed_pixels,
    transformed_weights,
    weights_matrix,
)
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.dft.bands import (
    ColumnMatrices,
    column_matrices,
    row_matrices,
    transformed_columns,
)
from lama_edge.exporters.graph.expressions import extent
from lama_edge.exporters.graph.layers import Array, Weights, relu, scale_outputs
from lama_edge.models.config import FfcResnetConfig

with needs_extra("export"):
    import onnx_ir as ir

LocalGlobal = tuple[ir.Value, ir.Value]


@dataclass(frozen=True)
class _Reduced:
    """What a spectral transform keeps of the global map.

    Attributes:
        map: float32 [N,1,H,W,C].
        spectrum: float32 [N,1,H,F,2C], its rows transformed, real parts first.
    """

    map: ir.Value
    spectrum: ir.Value


@dataclass(frozen=True)
class _Columns:
    """What the transform of columns needs of the spectrum's size.

    Attributes:
        like: a spectrum of that size.
        groups: int64 [G,KH], from `frequency_groups`.
        matrices: for its height.
        bins: int64 [1], F.
        height: int64 [1], H.
    """

    like: ir.Value
    groups: ir.Value
    matrices: ColumnMatrices
    bins: ir.Value
    height: ir.Value


class Trunk:
    """Writes the residual blocks of one generator.

    Indices and matrices are made once, from the extents of the first maps. A stage that runs
    alone, on a piece, makes its own of the piece.
    """

    def __init__(self, builder: GraphBuilder, config: FfcResnetConfig, maps: LocalGlobal) -> None:
        """Make what depends on the maps' size.

        Args:
            builder: the graph under construction.
            config: the architecture.
            maps: the first block's local and global map, [N,1,H,W,C] each.
        """
        self._b = builder
        self._n_blocks = config.n_blocks
        self._local, self._global = config.bottleneck_channels
        self._spectral = self._global // 2
        self._maps = maps
        self._bands = bands_of(builder, maps[0])
        self._rows = row_matrices(builder, maps[0])
        self._matrix = weights_matrix(builder, maps[0])

    def write(self, layers: Weights, first_block: int) -> LocalGlobal:
        """Write the blocks.

        Args:
            layers: the generator's ``model``.
            first_block: index in it of the first block.

        Returns:
            The last block's maps, [N,1,H,W,C].
        """
        blocks = [layers.at(str(first_block + n)).at for n in range(self._n_blocks)]
        convolutions = [at(name) for at in blocks for name in ("conv1", "conv2")]
        with self._b.scope("reduce"):
            first = self._reduce_first(convolutions[0])
            columns = self._columns(first.spectrum)
        reduced: _Reduced | None = first
        maps = residual = self._maps
        for number, weights in enumerate(convolutions):
            block, second = divmod(number, 2)
            following = next(iter(convolutions[number + 1 :]), None)
            with self._b.scope(f"block{block:02d}.conv{second + 1}"):
                assert reduced is not None  # only the last convolution leaves nothing
                added = residual if second else ()
                spectrum = self._mixed_spectrum(reduced.spectrum, weights, columns)
                maps, reduced = self._convolution(
                    maps, (reduced.map, spectrum), weights, added, following
                )
            residual = maps if second else residual
        return maps

    def _reduce_first(self, weights: Weights) -> _Reduced:
        """Do for the first convolution what every other one's predecessor does at its end."""
        x = self._maps[1]
        of_band = self._in_bands("global_rows", x, self._global)
        reduced = self._reduced(self._b.scan("rows", (), (of_band,), self._reduction(weights)))
        outputs = reduced.map, reduced.spectrum
        self._b.stage("bands", (), outputs, pointwise=(x,), like=(self._maps[0], x))
        return reduced

    def _columns(self, spectrum: ir.Value) -> _Columns:
        b = self._b
        return _Columns(
            spectrum,
            frequency_groups(b, spectrum),
            column_matrices(b, spectrum, self._spectral),
            extent(b, spectrum, 3).value,
            extent(b, spectrum, 2).value,
        )

    def _convolution(
        self,
        maps: LocalGlobal,
        kept: tuple[ir.Value, ir.Value],
        weights: Weights,
        residual: LocalGlobal | tuple[()],
        following: Weights | None,
    ) -> tuple[LocalGlobal, _Reduced | None]:
        """Write a fast Fourier convolution.

        Args:
            maps: the local and the global map, [N,1,H,W,C].
            kept: the reduced map, [N,1,H,W,C], and its mixed spectrum, [N,F,H,2C].
            weights: the convolution's.
            residual: what is added to its result, [N,1,H,W,C].
            following: the following convolution's weights.

        Returns:
            Its maps, and what the following convolution's spectral transform keeps of them.
        """
        b, bands, widths = self._b, self._bands, (self._local, self._global)
        convolve = self._spatial(maps, weights)
        expand = self._expansion(kept[1], weights)
        reduce = None if following is None else self._reduction(following)

        def band(
            seen: ir.Value, lines: ir.Value, reduced: ir.Value, *before: ir.Value
        ) -> Sequence[ir.Value]:
            local, from_local = convolve(seen)
            local = relu(b, "local_relu", local)
            global_ = b.op("Add", "global_sum", from_local, expand(lines, reduced))
            global_ = relu(b, "global_relu", global_)
            if before:
                local = b.op("Add", "local_residual", local, before[0])
                global_ = b.op("Add", "global_residual", global_, before[1])
            return local, global_, *(reduce(global_) if reduce else ())

        read = [self._in_bands("kept", kept[0], self._spectral)]
        for name, each, width in zip(("local", "global"), residual, widths, strict=False):
            read.append(self._in_bands(f"{name}_before", each, width))
        outputs = b.scan("rows", (bands.seen, bands.spectrum), read, band)
        local, global_ = (
            self._whole(name, value, bands.width, width)
            for name, value, width in zip(("local", "global"), outputs, widths, strict=False)
        )
        given: tuple[ir.Value, ...] = (local, global_)
        reduced = None
        if following is not None:
            reduced = self._reduced(outputs[2:])
            given += (reduced.map, reduced.spectrum)
        pointwise, like = (*kept, *residual), (self._maps[0], maps[0])
        b.stage("bands", maps, given, pointwise=pointwise, like=like, halo=(1, 1), align=TILE)
        return (local, global_), reduced

    def _mixed_spectrum(self, spectrum: ir.Value, weights: Weights, columns: _Columns) -> ir.Value:
        """Write the Fourier unit between the transforms of rows, to [N,F,H,2C]."""
        b, channels = self._b, self._spectral
        unit = weights.at("ffc.convg2g.fu")
        scale, shift = unit.batch_norm("bn")
        weight = scale_outputs(unit["conv_layer.weight"], scale)[:, :, 0, 0]
        # LaMa's channels are real and imaginary parts in turn.
        outputs, inputs = (np.r_[0:n:2, 1:n:2] for n in weight.shape)
        weight, bias = weight[outputs][:, inputs], shift[outputs]
        with b.scope("spectrum"):
            mix = _product(b, "mix", weight, bias)
            lines = b.op("Reshape", "lines_of_rows", spectrum, b.integers(-1, 2 * channels))

            def mixed(x: ir.Value) -> ir.Value:
                return relu(b, "mix_relu", mix(x))

            def group(seen: ir.Value) -> Sequence[ir.Value]:
                x = b.op("Gather", "gathered", lines, seen, axis=0)
                return (transformed_columns(b, x, columns.matrices, channels, mixed),)

            (output,) = b.scan("frequencies", (columns.groups,), (), group)
            shape = b.extents("shape", -1, columns.bins, columns.height, 2 * channels)
            result = b.op("Reshape", "mixed", output, shape)
        like = columns.like, spectrum
        b.stage("frequencies", (), (result,), pointwise=(spectrum,), like=like)
        return result

    def _spatial(self, maps: LocalGlobal, weights: Weights) -> Callable[[ir.Value], LocalGlobal]:
        """Prepare the 3×3 convolutions.

        Returns:
            From what a band's tiles see, int64 [36,T]: its local map [P,C], and what the global
            map gets of the local one.
        """
        b, place = self._b, self._bands.place
        local_scale, local_bias = weights.batch_norm("bn_l")
        global_scale, global_bias = weights.batch_norm("bn_g")
        local, global_ = (
            b.op("Reshape", f"{name}_pixels", x, b.integers(-1, channels))
            for name, x, channels in zip(
                ("local", "global"), maps, (self._local, self._global), strict=True
            )
        )
        to_local, from_global, to_global = (
            transformed_weights(
                b, role, scale_outputs(weights[f"ffc.{name}.weight"], scale), self._matrix
            )
            for role, name, scale in (
                ("local_to_local", "convl2l", local_scale),
                ("global_to_local", "convg2l", local_scale),
                ("local_to_global", "convl2g", global_scale),
            )
        )
        biases = [
            b.constant(f"{name}.bias", bias.astype(np.float32))
            for name, bias in (("local", local_bias), ("local_to_global", global_bias))
        ]

        def convolve(seen: ir.Value) -> LocalGlobal:
            of_local = transformed_pixels(b, "of_local", local, seen, self._local)
            of_global = transformed_pixels(b, "of_global", global_, seen, self._global)
            first = b.op("MatMul", "local_to_local", of_local, to_local)
            second = b.op("MatMul", "global_to_local", of_global, from_global)
            total = b.op("Add", "local_products", first, second)
            result = results(b, "local", total, place, self._local)
            products = b.op("MatMul", "local_to_global", of_local, to_global)
            from_local = results(b, "from_local", products, place, self._global)
            return (
                b.op("Add", "local_biased", result, biases[0]),
                b.op("Add", "from_local_biased", from_local, biases[1]),
            )

        return convolve

    def _expansion(
        self, spectrum: ir.Value, weights: Weights
    ) -> Callable[[ir.Value, ir.Value], ir.Value]:
        """Prepare the way back from the spectrum.

        Returns:
            From a band's lines, int64 [L], and what was kept of its map, [P,C]: what the
            global map gets of it, [1,P,C_out].
        """
        b, rows, channels = self._b, self._rows, self._spectral
        scale, _ = weights.batch_norm("bn_g")
        weight = scale_outputs(weights["ffc.convg2g.conv2.weight"], scale)[:, :, 0, 0]
        expand = _product(b, "expand", weight, None)
        lines = b.op("Reshape", "spectrum_lines", spectrum, b.integers(-1, 2 * channels))
        shape = b.extents("row_spectra_shape", -1, rows.twice_bins, channels)

        def output(seen: ir.Value, kept: ir.Value) -> ir.Value:
            gathered = b.op("Gather", "spectrum_rows", lines, seen, axis=0)
            spectra = b.op("Reshape", "row_spectra", gathered, shape)
            image = b.op("MatMul", "rows_inverse", rows.inverse, spectra)
            image = b.op("Reshape", "spectral_pixels", image, b.integers(-1, channels))
            return expand(b.op("Add", "spectral_sum", kept, image))

        return output

    def _reduction(self, weights: Weights) -> Callable[[ir.Value], Sequence[ir.Value]]:
        """Prepare the beginning of a spectral transform.

        Returns:
            From a band of the global map, [P,C]: the reduced one, and its rows' spectra.
        """
        b, channels = self._b, self._spectral
        spectral = weights.at("ffc.convg2g")
        scale, bias = spectral.batch_norm("conv1.1")
        weight = scale_outputs(spectral["conv1.0.weight"], scale)[:, :, 0, 0]
        reduce = _product(b, "reduce", weight, bias)
        shape = b.extents("reduce_rows_shape", -1, self._bands.width, channels)

        def reduced(x: ir.Value) -> Sequence[ir.Value]:
            pixels = b.op("Reshape", "reduce_pixels", x, b.integers(-1, self._global))
            kept = relu(b, "reduce_relu", reduce(pixels))
            lines = b.op("Reshape", "reduce_rows", kept, shape)
            return kept, b.op("MatMul", "rows_forward", self._rows.forward, lines)

        return reduced

    def _reduced(self, outputs: Sequence[ir.Value]) -> _Reduced:
        bands, channels = self._bands, self._spectral
        return _Reduced(
            self._whole("reduced", outputs[0], bands.width, channels),
            self._whole("reduced_rows", outputs[1], bands.bins, 2 * channels),
        )

    def _in_bands(self, role: str, x: ir.Value, channels: int) -> ir.Value:
        """View a map as [B,P,C]."""
        b = self._b
        shape = b.extents(f"{role}_bands_shape", -1, self._bands.pixels, channels)
        return b.op("Reshape", f"{role}_bands", x, shape)

    def _whole(self, role: str, x: ir.Value, width: ir.Value, channels: int) -> ir.Value:
        """View what a loop over bands gave as a map [N,1,H,W,C]."""
        b = self._b
        shape = b.extents(f"{role}_shape", -1, 1, self._bands.height, width, channels)
        return b.op("Reshape", role, x, shape)


def _product(
    b: GraphBuilder, role: str, weight: Array, bias: Array | None
) -> Callable[[ir.Value], ir.Value]:
    """Prepare a product of pixels [P,C_in] with `weight` [C_out,C_in], to [1,P,C_out]."""
    matrix = b.constant(f"{role}.weight", np.ascontiguousarray(weight.T).astype(np.float32))
    offset = None if bias is None else b.constant(f"{role}.bias", bias.astype(np.float32))

    def multiply(x: ir.Value) -> ir.Value:
        apart = b.op("Unsqueeze", f"{role}_apart", b.op("MatMul", role, x, matrix), b.integers(0))
        return apart if offset is None else b.op("Add", f"{role}_biased", apart, offset)

    return multiply
