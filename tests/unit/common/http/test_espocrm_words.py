"""EspoCRM's own wordings: file names, conditions, lists."""

import msgspec
import pytest

from bitbylaw.common.errors import Executed, TransientError
from bitbylaw.common.espocrm import where
from bitbylaw.common.espocrm.decode import Listing, Record, decoded
from bitbylaw.common.espocrm.download import filename_of


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="klage.txt"', "klage.txt"),
        ('attachment; filename="anlage 1 ü.txt"', "anlage 1 ü.txt"),
        ('inline;filename="a; b.pdf"', "a; b.pdf"),
        ('attachment; filename="so \\"genannt\\".pdf"', 'so "genannt".pdf'),
        ("attachment; filename=plain.pdf", "plain.pdf"),
        ("attachment; filename=\"x.pdf\"; filename*=UTF-8''R%C3%A4umung.pdf", "Räumung.pdf"),
        ('attachment; filename="\udcfc.txt"', "\ufffd.txt"),
        ("attachment", None),
        ('attachment; filename=""', None),
        (None, None),
    ],
)
def test_filename(header: str | None, name: str | None) -> None:
    """The name is found in every form a server sends it, raw UTF-8 included, and can always be encoded."""
    assert filename_of(header) == name


def test_conditions_are_written_as_espocrm_reads_them() -> None:
    """Conditions nest, and carry no attribute or value where EspoCRM has none (sample 04)."""
    condition = where.or_(where.is_null("xaiId"), where.and_(where.equals("a", 1), where.linked_with("l", "x", "y")))
    assert msgspec.to_builtins(condition) == {
        "type": "or",
        "value": [
            {"type": "isNull", "attribute": "xaiId"},
            {
                "type": "and",
                "value": [
                    {"type": "equals", "attribute": "a", "value": 1},
                    {"type": "linkedWith", "attribute": "l", "value": ["x", "y"]},
                ],
            },
        ],
    }


@pytest.mark.parametrize(
    ("total", "offset", "expected"),
    [(-1, 0, (None, True)), (-2, 0, (None, False)), (3, 0, (3, True)), (3, 1, (3, False))],
)
def test_page_knows_whether_more_follows(total: int, offset: int, expected: tuple[int | None, bool]) -> None:
    """Counted or not, a page says whether records follow (reference, section 3)."""
    page = Listing(total, [1, 2]).page(offset)
    assert (page.total, page.more) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id": }'])
def test_answer_that_is_no_record(body: bytes) -> None:
    """Something else than a record (a proxy's page) is a passing fault, and says whether the write took effect."""
    with pytest.raises(TransientError) as caught:
        decoded(body, Record, Executed.YES)
    assert caught.value.executed is Executed.YES
