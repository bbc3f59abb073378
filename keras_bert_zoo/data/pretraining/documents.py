"""Text files as documents: a paragraph or sentence a line, a blank line between documents."""

from keras_bert_zoo.data.formats.lines import read_lines


def read_documents(paths):
    """The documents of text files, one by one.

    Args:
        paths: list of str or Path. UTF-8, plain or packed (`.gz`, `.xz`).

    Yields:
        list of str: the lines of a document, without the space around them. A file's end ends a
        document.

    Raises:
        ValueError: a line is not UTF-8, or a packed file is damaged; the message names it.
    """
    for path in paths:
        document = []
        for _, line in read_lines(path):
            line = line.strip()
            if line:
                document.append(line)
            elif document:
                yield document
                document = []
        if document:
            yield document


def blocks_of(documents, most_characters):
    """Documents gathered into blocks of a size that fits into memory.

    Args:
        documents: iterable of lists of str.
        most_characters: int. A block is closed by the document that reaches it.

    Yields:
        list of documents.
    """
    block, size = [], 0
    for document in documents:
        block.append(document)
        size += sum(map(len, document))
        if size >= most_characters:
            yield block
            block, size = [], 0
    if block:
        yield block


def as_documents(documents):
    """Documents of a caller as lists of lines.

    Args:
        documents: list of documents, each a str (a paragraph a line) or a list of str.

    Returns:
        list of lists of str.

    Raises:
        ValueError: they are something else; the message names the item.
    """
    if isinstance(documents, str) or not hasattr(documents, "__iter__"):
        raise ValueError(f"Documents must be a list; got {type(documents).__name__}.")
    found = []
    for number, document in enumerate(documents):
        lines = document.split("\n") if isinstance(document, str) else document
        if not isinstance(lines, (list, tuple)) or not all(isinstance(x, str) for x in lines):
            raise ValueError(
                f"Document {number} is neither a text nor a list of texts: {document!r}."
            )
        found.append([line.strip() for line in lines if line.strip()])
    return found
