"""The nodes that the other tests talk to are up, and hold what dcmtk sends them."""

from pathlib import Path

import pytest

from tests.pacs.dcmtk import Dcmqrscp, echoscu, storescu
from tests.pacs.orthanc import Orthanc
from tests.pacs.slices import write_study

pytestmark = pytest.mark.pacs


def test_orthanc_answers_dcmtk_and_holds_what_it_sends(orthanc: Orthanc, dcmtk: None, tmp_path: Path) -> None:
    study = write_study(tmp_path, "nodes/orthanc")
    assert echoscu(orthanc.dicom_port, called=orthanc.ae_title).returncode == 0
    sent = storescu(orthanc.dicom_port, study.folder, called=orthanc.ae_title)
    assert sent.returncode == 0, sent.stderr
    assert orthanc.instances() == study.sop_instance_uids


def test_orthanc_refuses_a_call_of_another_title(orthanc: Orthanc, dcmtk: None) -> None:
    assert echoscu(orthanc.dicom_port, called="SOMEONE").returncode != 0


def test_dcmqrscp_holds_what_dcmtk_sends(dcmqrscp: Dcmqrscp, tmp_path: Path) -> None:
    before = len(dcmqrscp.files())
    study = write_study(tmp_path, "nodes/dcmqrscp")
    sent = storescu(dcmqrscp.port, study.folder, called=dcmqrscp.ae_title)
    assert sent.returncode == 0, sent.stderr
    assert len(dcmqrscp.files()) == before + len(study.files)
