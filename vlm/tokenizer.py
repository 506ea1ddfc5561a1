"""The report writer's own tokenizer: byte-level BPE over report language.

Any text can be encoded and comes back exactly (bytes are the base alphabet). Digits stay single so that a
measured value is copied digit by digit. Disc level names (with and without a leading space) and the names of
conditions in serialised findings are entries of their own, one token wherever they stand. Special tokens mark the
parts of a prompt; ``<region>`` holds the place of one projected region token.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from anatomy import DISC_LEVELS, SIJ, Condition
from runtime.errors import ConfigError

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
NOTE, TEXT, FACTS, NO_FACTS, REPORT, REGION = "<note>", "<text>", "<facts>", "<nofacts>", "<report>", "<region>"
LEVEL_SLOT, IMPRESSION_SLOT = "<level>", "<impression>"
STYLE_TOKENS = ("<structured>", "<telegraphic>", "<narrative>", "<patient>")
SPECIAL_TOKENS = (
    PAD, BOS, EOS, NOTE, TEXT, FACTS, NO_FACTS, REPORT, REGION, LEVEL_SLOT, IMPRESSION_SLOT, *STYLE_TOKENS,
)  # fmt: skip
"""In the order of their ids, from 0."""


@dataclass(frozen=True)
class ReportTokenizer:
    """A trained tokenizer with the ids of its special tokens at hand."""

    backend: Tokenizer

    def __len__(self) -> int:
        return int(self.backend.get_vocab_size())

    def knows(self, token: str) -> bool:
        """Return whether a special token is among the entries."""
        return self.backend.token_to_id(token) is not None

    def special(self, token: str) -> int:
        """Return the id of a special token.

        Raises:
            ConfigError: If the tokenizer file does not know the token.
        """
        number = self.backend.token_to_id(token)
        if number is None:
            raise ConfigError(f"tokenizer: special token {token!r} is missing; restore tokenizer.json")
        return int(number)

    @property
    def pad_id(self) -> int:
        """Return the id of the padding token."""
        return self.special(PAD)

    @property
    def bos_id(self) -> int:
        """Return the id that starts every sequence."""
        return self.special(BOS)

    @property
    def eos_id(self) -> int:
        """Return the id that ends every text."""
        return self.special(EOS)

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain text; special tokens written out in it count as such."""
        return list(self.backend.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids, special tokens left out."""
        return str(self.backend.decode(list(ids), skip_special_tokens=True))

    def save(self, file: Path) -> None:
        """Write ``tokenizer.json``."""
        self.backend.save(str(file), pretty=False)


def train_tokenizer(texts: Iterable[str], *, vocabulary: int) -> ReportTokenizer:
    """Train a tokenizer on report language.

    Args:
        texts: The corpus.
        vocabulary: Number of entries wished for, special tokens and level names included; a small corpus may
            give fewer.
    """
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    backend.decoder = decoders.ByteLevel()
    names = list(_named_entries())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(names),
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(_without_names(texts, names), trainer=trainer)
    backend.add_tokens([AddedToken(name, normalized=False) for name in names])
    return ReportTokenizer(backend)


def load_tokenizer(file: Path) -> ReportTokenizer:
    """Read ``tokenizer.json``.

    Raises:
        ConfigError: If the file is missing.
    """
    if not file.is_file():
        raise ConfigError(f"tokenizer: expected {file.name} in {file.parent.name}, found nothing")
    return ReportTokenizer(Tokenizer.from_file(str(file)))


def _named_entries() -> Iterator[str]:
    """Yield level names and condition names; the form with a leading space, the commoner one, comes first."""
    for level in (*DISC_LEVELS, SIJ):
        yield f" {level}"
        yield level
    for condition in Condition:
        yield f" {condition.value}"


def _without_names(texts: Iterable[str], names: list[str]) -> Iterator[str]:
    """Take level and condition names out of the corpus: they are entries anyway and need no merges."""
    for text in texts:
        for name in names:
            text = text.replace(name, " ")
        yield text
