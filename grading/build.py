"""Build the grading network from its configuration; configuration stops here."""

from torch import nn

from grading.config import NetworkConfig
from grading.encoders import ENCODERS
from grading.heads import HeadInfo, HeadKind, load_heads
from grading.model import BiomarkerEncoder, GradingNetwork
from grading.ordinal import OrdinalHead


def build_network(config: NetworkConfig) -> GradingNetwork:
    """Build a network with fresh weights."""
    width = config.token_width
    layer = nn.TransformerEncoderLayer(
        width, config.heads, 2 * width, dropout=config.dropout, batch_first=True, norm_first=True
    )
    mixer = nn.TransformerEncoder(layer, config.layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
    return GradingNetwork(
        ENCODERS[config.encoder](config.widths, width, config.dropout),
        mixer,
        {head.condition.value: _build_head(head, width) for head in load_heads()},
        sequences=len(config.sequences),
        levels=len(config.levels),
        width=width,
        biomarkers=BiomarkerEncoder(len(config.biomarkers), width, dropout=config.dropout)
        if config.biomarkers
        else None,
    )


def _build_head(head: HeadInfo, width: int) -> nn.Module:
    if head.kind is HeadKind.ORDINAL:
        return OrdinalHead(width, len(head.grades))
    return nn.Linear(width, head.logit_count)
