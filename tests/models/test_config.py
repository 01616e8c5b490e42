"""Configurations: official ones are understood, everything else is refused by name."""

from __future__ import annotations

import copy
import json

import pytest
import yaml

from lama_edge.errors import CheckpointError
from lama_edge.models.config import (
    MAX_BLOCKS,
    FfcResnetConfig,
    config_from_dict,
    shown,
)
from lama_edge.models.official_config import config_from_official

HUGE = 1 << 100_000  # too large for Python to print
ABSENT = object()


@pytest.fixture
def document(golden_folder):
    return yaml.safe_load((golden_folder / "config.yaml").read_text())


def refusal(read, document):
    with pytest.raises(CheckpointError) as caught:
        read(document)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400
    return message


def changed(document, path, value):
    *parents, name = path.split(".")
    node = copied = copy.deepcopy(document)
    for parent in parents:
        node = node[parent]
    node.pop(name, None)
    if value is not ABSENT:
        node[name] = value
    return copied


def test_an_official_config_is_read_with_its_interpolations(document):
    assert "${env:TORCH_HOME}" in str(document)
    assert config_from_official(document) == FfcResnetConfig(ngf=8, n_blocks=2)


def test_sizes_default_to_those_of_the_official_class(document):
    for name in ("ngf", "n_downsampling", "n_blocks"):
        document = changed(document, f"generator.{name}", ABSENT)
    assert config_from_official(document) == FfcResnetConfig(
        ngf=64, n_downsampling=3, n_blocks=9, max_features=1024
    )


def test_max_features_bounds_the_widths(document):
    config = config_from_official(changed(document, "generator.max_features", 20))
    assert config.level_widths == (8, 16, 20, 20)
    assert config.bottleneck_channels == (5, 15)


def test_options_at_their_official_defaults_are_accepted(document):
    document["generator"] |= {
        "padding_type": "reflect",
        "spatial_transform_layers": None,
        "spatial_transform_kwargs": {},
        "out_ffc": False,
        "out_ffc_kwargs": {},
    }
    assert config_from_official(document) == FfcResnetConfig(ngf=8, n_blocks=2)


def test_a_config_survives_as_plain_data():
    config = FfcResnetConfig(ngf=16, n_blocks=5, max_features=64, ratio_global=0.5)
    assert config_from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("generator", ABSENT, "`generator`"),
        ("generator", None, "`generator`"),
        ("generator", "${generator}", "`generator`"),
        ("generator.kind", "pix2pixhd_local", "kind is 'pix2pixhd_local'"),
        ("generator.kind", ABSENT, "kind is None"),
        ("generator.kind", ["ffc_resnet"], "kind is a list"),
        ("generator.input_nc", 3, "input_nc is 3"),
        ("generator.output_nc", 4, "output_nc is 4"),
        ("generator.ngf", "64", "ngf is '64'"),
        ("generator.ngf", 64.0, "ngf is 64.0"),
        ("generator.ngf", True, "ngf is True"),
        ("generator.ngf", None, "ngf is None"),
        ("generator.ngf", -64, "ngf is -64"),
        ("generator.ngf", 1 << 20, "ngf is 1048576"),
        ("generator.ngf", HUGE, "ngf is a number of 100001 bits"),
        ("generator.ngf", float("nan"), "ngf is nan"),
        ("generator.ngf", {"a": 1}, "ngf is a dict"),
        ("generator.n_blocks", MAX_BLOCKS + 1, "n_blocks is 65"),
        ("generator.n_blocks", 0, "n_blocks is 0"),
        ("generator.n_downsampling", 6, "n_downsampling is 6"),
        ("generator.max_features", 7, "max_features is 7"),
        ("generator.add_out_act", ABSENT, "add_out_act is missing"),
        ("generator.add_out_act", "tanh", "add_out_act is 'tanh'"),
        ("generator.add_out_act", True, "add_out_act is True"),
        ("generator.padding_type", "zero", "padding_type is 'zero'"),
        ("generator.out_ffc", True, "out_ffc is True"),
        ("generator.spatial_transform_layers", [1], "spatial_transform_layers is a list"),
        ("generator.use_gates", 1, "'use_gates'"),
        ("generator." + "x" * 5_000, 1, "…"),
        ("generator.a\nb", 1, r"'a\nb'"),
        ("generator.init_conv_kwargs", ABSENT, "not contain"),
        ("generator.init_conv_kwargs.ratio_gout", 0.5, "'ratio_gout' in generator.init_conv"),
        ("generator.init_conv_kwargs.use_se", True, "'use_se' in generator.init_conv_kwargs"),
        ("generator.downsample_conv_kwargs", None, "downsample_conv_kwargs is None"),
        ("generator.downsample_conv_kwargs.enable_lfu", True, "'enable_lfu' in generator.down"),
        ("generator.resnet_conv_kwargs", ABSENT, "enable_lfu"),
        ("generator.resnet_conv_kwargs", [], "resnet_conv_kwargs is a list"),
        ("generator.resnet_conv_kwargs.enable_lfu", ABSENT, "enable_lfu"),
        ("generator.resnet_conv_kwargs.enable_lfu", True, "enable_lfu"),
        ("generator.resnet_conv_kwargs.enable_lfu", 0, "enable_lfu"),
        ("generator.resnet_conv_kwargs.use_se", True, "'use_se'"),
        ("generator.resnet_conv_kwargs.ratio_gout", 0.5, "ratio_gout 0.5"),
        ("generator.resnet_conv_kwargs.ratio_gin", ABSENT, "not contain"),
        ("generator.resnet_conv_kwargs.ratio_gin", 0, "ratio_gin 0"),
        ("generator.resnet_conv_kwargs.ratio_gin", 1.0, "ratio_gin is 1.0"),
        ("generator.resnet_conv_kwargs.ratio_gin", "0.75", "ratio_gin '0.75'"),
        ("generator.resnet_conv_kwargs.ratio_gin", True, "ratio_gin True"),
        ("generator.resnet_conv_kwargs.ratio_gin", HUGE, "ratio_gin a number of"),
        ("generator.resnet_conv_kwargs.ratio_gin", float("nan"), "ratio_gin nan"),
        ("generator.resnet_conv_kwargs.ratio_gin", 0.02, "ratio_gin is 0.02"),
        ("generator.ngf", "${generator.ngf}", "circular"),
        ("generator.ngf", "${generator.nothing}", "'generator.nothing'"),
        ("generator.ngf", "${generator}", "a whole section"),
        ("generator.ngf", "${env:HOME}", "'${env:HOME}'"),
        ("generator.ngf", "1${generator.n_blocks}", "cannot resolve"),
        ("generator.ngf", "${..}", "not contain"),
    ],
    ids=lambda value: shown(value)[:60],
)
def test_what_is_not_supported_is_refused_by_name(document, path, value, named):
    assert named in refusal(config_from_official, changed(document, path, value))


@pytest.mark.parametrize("key", [1, None, HUGE, (1, 2), b"a"], ids=["1", "None", "huge", "()", "b"])
def test_keys_that_are_no_text_are_refused(document, key):
    document["generator"][key] = 1
    assert "no text" in refusal(config_from_official, document)


def test_nesting_and_references_cannot_grow_without_bound(document):
    document["a"] = {str(n): "${b}" for n in range(100)}
    document["b"] = {str(n): "${a}" for n in range(100)}
    assert "whole section" in refusal(
        config_from_official, changed(document, "generator.ngf", "${a}")
    )
    deep: list = []
    for _ in range(900):
        deep = [deep]
    assert "nested too deeply" in refusal(
        config_from_official, changed(document, "generator.ngf", deep)
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ratio_global", "0.75"),
        ("ratio_global", None),
        ("ratio_global", [0.75]),
        ("ratio_global", True),
        ("ratio_global", HUGE),
        ("ratio_global", float("inf")),
        ("ngf", "64"),
        ("n_blocks", None),
        ("kind", {}),
        ("kind", ABSENT),
        ("level_widths", 1),
        ("x" * 100_000, 1),
    ],
    ids=lambda value: shown(value)[:60],
)
def test_plain_data_of_wrong_types_is_refused(field, value):
    refusal(config_from_dict, changed(FfcResnetConfig().to_dict(), field, value))
