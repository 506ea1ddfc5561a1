"""Build the grading network from its configuration; configuration stops here."""

from collections.abc import Collection

from torch import nn

from grading.config import GraderConfig
from grading.encoders import ENCODERS, PatchEncoder
from grading.heads import HeadInfo, HeadKind
from grading.model import BiomarkerEncoder, GradingNetwork, NoContext, ViewReader
from grading.ordinal import OrdinalHead


def build_network(config: GraderConfig, keys: Collection[str] | None = None) -> GradingNetwork:
    """Build a network with fresh weights.

    Args:
        config: Crops and network.
        keys: Names of its heads; None gives it all of the configuration. Without any that reads views it has no
            encoders for them.
    """
    network = config.network
    heads = [head for head in config.heads if keys is None or head.key in keys]
    readers = {head.key: _build_reader(head, config) for head in heads if head.views}
    width = network.token_width
    layer = nn.TransformerEncoderLayer(
        width, network.heads, 2 * width, dropout=network.dropout, batch_first=True, norm_first=True
    )
    mixer: nn.Module = NoContext(width)
    if network.layers:
        mixer = nn.TransformerEncoder(layer, network.layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
    biomarkers = None
    if network.biomarkers:
        biomarkers = BiomarkerEncoder(len(network.biomarkers), width, dropout=network.dropout)
    return GradingNetwork(
        _build_encoder(config, slices=1),
        mixer,
        {head.key: _build_head(head, width) for head in heads},
        biomarkers=biomarkers,
        measured=[head.key for head in heads if head.is_real],
        view_encoders=[_build_encoder(config, slices=view.slices) for view in config.views] if readers else (),
        readers=readers,
        sided=[head.key for head in heads if head.is_sided],
        box=nn.Linear(width, 4) if network.boxes else None,
        sequences=len(network.sequences),
        levels=len(network.levels),
        width=width,
    )


def _build_encoder(config: GraderConfig, *, slices: int) -> PatchEncoder:
    network = config.network
    return ENCODERS[network.encoder](network.widths, network.token_width, network.dropout, slices)


def _build_reader(head: HeadInfo, config: GraderConfig) -> ViewReader:
    seen = [number for number, name in enumerate(config.network.views) if name in head.views]
    return ViewReader(seen, config.network.token_width, dropout=config.network.dropout)


def _build_head(head: HeadInfo, width: int) -> nn.Module:
    if head.kind is HeadKind.ORDINAL:
        return OrdinalHead(width, len(head.grades))
    return nn.Linear(width, head.logit_count)
