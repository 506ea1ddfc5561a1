import json
from pathlib import Path

import pytest

from evaluation.text.files import read_pairs, read_texts
from runtime import StudyError
from tests.vlm.chat.readings import make_reading, reading_names


def _reading(folder: Path) -> str:
    folder.mkdir(parents=True)
    document = make_reading(reading_names()[0])
    (folder / "reading.json").write_text(json.dumps(document), encoding="utf-8")
    return " ".join(
        sentence["text"]
        for name in ("findings", "impression")
        for section in document["report"]["sections"]
        if section["name"] == name
        for sentence in section["sentences"]
    )


def test_every_form_gives_the_same_texts(tmp_path: Path) -> None:
    texts = {"a": 'A "bulge", mild.\nNo stenosis.', "2": "Disc – normal."}
    (tmp_path / "t.csv").write_text(
        '\ufeffid,age,text\na,50,"A ""bulge"", mild.\nNo stenosis."\n2,60,Disc – normal.\n', encoding="utf-8"
    )
    rows = [json.dumps({"id": key if key == "a" else 2, "text": text}) for key, text in texts.items()]
    (tmp_path / "t.jsonl").write_text("\n\n".join(rows), encoding="utf-8")
    (tmp_path / "notes").mkdir()
    for key, text in texts.items():
        (tmp_path / "notes" / f"{key}.txt").write_text(text, encoding="utf-8")
    assert read_texts(tmp_path / "t.csv") == texts
    assert read_texts(tmp_path / "t.jsonl") == texts
    assert read_texts(tmp_path / "notes") == texts


def test_readings_give_findings_and_impression(tmp_path: Path) -> None:
    text = _reading(tmp_path / "out" / "p7")
    assert text
    _reading(tmp_path / "out" / "p8")
    assert read_texts(tmp_path / "out" / "p7" / "reading.json") == {"p7": text}
    assert read_texts(tmp_path / "out") == {"p7": text, "p8": text}
    (tmp_path / "out" / "p9.json").write_bytes((tmp_path / "out" / "p8" / "reading.json").read_bytes())
    assert set(read_texts(tmp_path / "out")) == {"p7", "p8", "p9"}


def test_pairs_come_in_the_order_of_the_references(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,one\n2,two\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("id,text\n2,zwei\n1,eins\n", encoding="utf-8")
    told, truth = read_pairs(tmp_path / "a.csv", tmp_path / "b.csv")
    assert list(told.items()) == [("2", "two"), ("1", "one")]
    assert list(truth) == ["2", "1"]


def test_ids_must_agree(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,x\n2,x\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("id,text\n1,x\n", encoding="utf-8")
    with pytest.raises(StudyError, match=r"a.csv: 1 of 2 ids are in one only, not in b.csv: '2'"):
        read_pairs(tmp_path / "a.csv", tmp_path / "b.csv")
    with pytest.raises(StudyError, match=r"a.csv: 1 of 2 ids are in one only"):
        read_pairs(tmp_path / "b.csv", tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.csv", "id,text\n1,\n", "line 2: expected a text for id '1', got an empty one"),
        ("x.csv", "id,text\n1,a\n1,b\n", "line 3: id '1' appears twice"),
        ("x.csv", "id,text\n,a\n", "line 2: expected an id, got none"),
        ("x.csv", "key,text\n1,a\n", "expected an id and a text, got key, text"),
        ("x.csv", "id,text\n", "expected at least one report"),
        ("x.jsonl", '{"id": 1, "text": "a"}\n{', "line 2: expected a JSON object, got no valid JSON"),
        ("x.jsonl", "[1]", "line 1: expected a JSON object, got list"),
        ("x.jsonl", '{"id": 1, "text": null}', "expected a text for id '1'"),
        ("x.json", "{}", "expected a reading.json"),
        ("x.docx", "a", "got a file of type '.docx'"),
    ],
)
def test_bad_files_are_refused_with_the_place(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(StudyError, match=words):
        read_texts(tmp_path / name)


def test_bad_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="found none"):
        read_texts(tmp_path / "nothing.csv")
    with pytest.raises(StudyError, match="expected at least one report"):
        read_texts(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(StudyError, match=r"a.txt: expected UTF-8"):
        read_texts(tmp_path)
    (tmp_path / "b.json").touch()
    with pytest.raises(StudyError, match="found both"):
        read_texts(tmp_path)
