"""Build the sacroiliac network from its configuration; configuration stops here."""

from torch import nn

from grading.encoders import ENCODERS
from grading.joints.config import JointNetworkConfig
from grading.joints.model import JointNetwork

CHANNELS = ("stir", "t1")
"""Sequences of a crop, in the order of its channels."""


def build_joint_network(config: JointNetworkConfig) -> JointNetwork:
    """Build a network with fresh weights."""
    width = config.token_width
    layer = nn.TransformerEncoderLayer(
        width, config.heads, 2 * width, dropout=config.dropout, batch_first=True, norm_first=True
    )
    mixer = nn.TransformerEncoder(layer, config.layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
    encoder = ENCODERS[config.encoder](config.widths, width, config.dropout, len(CHANNELS))
    return JointNetwork(encoder, mixer, width=width)
