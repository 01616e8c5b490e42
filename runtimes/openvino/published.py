"""What OpenVINO's GPU plugin takes, by its source: for machines where no GPU can be asked.

NPUs have no such list: their compiler comes with the driver.
"""

from __future__ import annotations

# Facts of this file, whose copyright notice ends in 2025; operations of `v0` and `v1` are those of
# the model file's opset1. Its convolutions are on the list of what is made of them.
GPU_SOURCE = (
    "https://github.com/openvinotoolkit/openvino/blob/f34c598c8884ff45087f5d6f443b47c26e4b8bf1/"
    "src/plugins/intel_gpu/include/intel_gpu/plugin/primitives_list.hpp"
)
_GPU = {
    "opset1": """
        Abs Acos Add Asin Atan AvgPool BatchToSpace BinaryConvolution Broadcast CTCGreedyDecoder
        Ceiling Clamp Concat Const Convert ConvertLike Convolution ConvolutionBackpropData Cos Cosh
        CumSum DeformableConvolution DeformablePSROIPooling DepthToSpace DetectionOutput Divide Elu
        Equal Erf Exp FakeQuantize Floor FloorMod GRN Gather GatherTree Gelu Greater GreaterEqual
        GroupConvolution GroupConvolutionBackpropData HardSigmoid LRN Less LessEqual Log LogicalAnd
        LogicalNot LogicalOr LogicalXor MVN MatMul MaxPool Maximum Minimum Mod Multiply Negative
        NormalizeL2 NotEqual OneHot PReLU PSROIPooling Pad Parameter Power PriorBox
        PriorBoxClustered Proposal ROIPooling ReLU ReduceLogicalAnd ReduceLogicalOr ReduceMax
        ReduceMean ReduceMin ReduceProd ReduceSum RegionYolo ReorgYolo Reshape Result Reverse
        ReverseSequence Select Selu ShapeOf ShuffleChannels Sigmoid Sign Sin Sinh SoftMax
        SpaceToBatch SpaceToDepth Split Sqrt SquaredDifference Squeeze StridedSlice Subtract Tan
        Tanh TensorIterator Tile TopK Transpose Unsqueeze VariadicSplit
        """,
    "opset3": """
        Acosh Asinh Assign Atanh Broadcast Bucketize EmbeddingBagOffsetsSum EmbeddingBagPackedSum
        EmbeddingSegmentsSum ExtractImagePatches NonZero ROIAlign ReadValue ScatterElementsUpdate
        ScatterNDUpdate ScatterUpdate ShapeOf
        """,
    "opset4": """
        CTCLoss HSwish Interpolate LSTMCell Mish Proposal Range ReduceL1 ReduceL2 SoftPlus Swish
        """,
    "opset5": "GatherND HSigmoid LSTMSequence LogSoftmax Loop Round",
    "opset6": "Assign GatherElements MVN ReadValue",
    "opset7": "DFT Gather Gelu IDFT Roll",
    "opset8": """
        AdaptiveAvgPool AdaptiveMaxPool DeformableConvolution DetectionOutput Gather GatherND
        I420toBGR I420toRGB If MaxPool NV12toBGR NV12toRGB PriorBox RandomUniform Slice Softmax
        """,
    "opset9": "Eye GridSample IRDFT RDFT ROIAlign SoftSign",
    "opset10": "IsFinite IsInf IsNaN Unique",
    "opset11": "Interpolate TopK",
    "opset12": "GroupNormalization Pad ScatterElementsUpdate",
    "opset13": "BitwiseAnd BitwiseOr BitwiseXor FakeConvert Multinomial ScaledDotProductAttention",
    "opset15": "BitwiseLeftShift BitwiseRightShift Col2Im ROIAlignRotated STFT SearchSorted",
}
# Pairs of type and opset, as a model file has them.
GPU_OPERATIONS = frozenset((kind, opset) for opset, kinds in _GPU.items() for kind in kinds.split())
