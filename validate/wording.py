"""Text that others wrote, made fit to be shown: in a terminal, in a picture, in a table."""

_LONGEST = 80


def plain(text: str, longest: int = _LONGEST) -> str:
    """On one line, without control characters and halves of characters, cut in the middle where it is very long.

    >>> plain("a\\tb\\x1b[31m")
    'a b�[31m'
    >>> plain("x" * 20, longest=9)
    'xxxx…xxxx'
    """
    short = text if len(text) <= longest else f"{text[: longest // 2]}…{text[-((longest - 1) // 2) :]}"
    spaced = "".join(" " if letter.isspace() else letter for letter in short)
    return "".join(letter if letter.isprintable() else "�" for letter in spaced)
