"""Our side in the tests: nodes on loopback. A wait that must not end by itself is long: machines are busy."""

from pathlib import Path

from service.pacs.config import DicomwebConfig, DimseConfig, NodeConfig, OwnConfig, PacsConfig
from service.pacs.node import Node, build_node
from tests.pacs.dcmtk import Dcmqrscp
from tests.pacs.orthanc import Orthanc
from tests.pacs.ports import LOOPBACK

OUR_TITLE = "SPINESCRIBE"
SECRET = "SPINESCRIBE_TEST_PACS_SECRET"


def node_of(config: NodeConfig, *, own: OwnConfig | None = None) -> Node:
    """Return a node."""
    return build_node(PacsConfig(own or OwnConfig(OUR_TITLE), {"node": config}), "node")


def dimse(port: int, title: str, *, fetch: str = "get", attempts: int = 1, wait_s: float = 30.0) -> DimseConfig:
    """Return the settings of a DIMSE node on loopback."""
    return DimseConfig(
        host=LOOPBACK, port=port, ae_title=title, fetch=fetch, attempts=attempts, connect_s=wait_s,
        answer_s=wait_s, backoff_s=0.05,
    )  # fmt: skip


def of_orthanc(server: Orthanc, *, fetch: str = "get") -> DimseConfig:
    """Return the settings of Orthanc's DIMSE."""
    return dimse(server.dicom_port, server.ae_title, fetch=fetch)


def of_dcmqrscp(server: Dcmqrscp, *, fetch: str = "get") -> DimseConfig:
    """Return the settings of dcmqrscp."""
    return dimse(server.port, server.ae_title, fetch=fetch)


def dicomweb(url: str, *, user: str = "", attempts: int = 1, wait_s: float = 30.0) -> DicomwebConfig:
    """Return the settings of a DICOMweb node, with its secret in the environment."""
    return DicomwebConfig(
        url=url, user=user, secret_variable=SECRET, attempts=attempts, connect_s=wait_s, answer_s=wait_s,
        backoff_s=0.05,
    )  # fmt: skip


def uids_in(folder: Path) -> set[str]:
    """Return the SOP Instance UIDs of the files of a folder; each file is read whole."""
    from pydicom import dcmread

    datasets = [dcmread(file) for file in sorted(folder.iterdir())]
    assert all(dataset.pixel_array.size for dataset in datasets)
    return {str(dataset.SOPInstanceUID) for dataset in datasets}
