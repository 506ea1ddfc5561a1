"""``spinescribe phantom``: synthetic studies with known truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from anatomy import protocol_names
from runtime.errors import ConfigError


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "phantom",
        parents=[shared],
        help="write synthetic studies with known truth",
        description="Write synthetic DICOM studies with their label maps, grades and reference report.",
    )
    parser.add_argument("--protocol", default="lumbar", choices=protocol_names(), help="default: lumbar")
    parser.add_argument("--count", type=int, default=1, metavar="N", help="number of studies (default: 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the first study (default: 0)")
    parser.add_argument(
        "--setup",
        metavar="NAME",
        help="scanner and population: a file of configs/phantom, such as test_lumbar_shifted (default: the usual "
        "one of the protocol)",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write ``--count`` studies, one folder each, named by their seed.

    Raises:
        ConfigError: If the count is below 1, the seed below 0, or the setup unknown or of another protocol.
    """
    if arguments.count < 1:
        raise ConfigError(f"--count: expected 1 or more, got {arguments.count}")
    if arguments.seed < 0:
        raise ConfigError(f"--seed: expected 0 or more, got {arguments.seed}")
    from imaging.phantom import build_phantom, write_phantom_study
    from imaging.phantom.setup import load_setup

    if arguments.setup is not None and load_setup(arguments.setup).protocol != arguments.protocol:
        protocol = load_setup(arguments.setup).protocol
        raise ConfigError(f"--setup {arguments.setup}: expected --protocol {protocol}, got {arguments.protocol}")
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        folder = arguments.out / f"phantom_{seed:04d}"
        write_phantom_study(build_phantom(arguments.protocol, seed=seed, setup=arguments.setup), folder)
        print(folder, flush=True)
    return 0
