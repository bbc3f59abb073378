"""Predicted answers beside the reference answers of the same questions."""


def texts_of(answers, where):
    """The texts of one question's answers; none for an unanswerable question.

    Args:
        answers: str, list of str, dict with `"text"`, or list of such dicts.
        where: str. What to call the place in an error.

    Raises:
        ValueError: they are nothing of that kind.
    """
    if isinstance(answers, dict) and "text" in answers:
        answers = answers["text"]
    texts = [answers] if isinstance(answers, str) else answers
    if hasattr(texts, "tolist"):
        texts = texts.tolist()
    if isinstance(texts, (list, tuple)):
        texts = [one.get("text") if isinstance(one, dict) else one for one in texts]
        if all(isinstance(text, str) for text in texts):
            return [text for text in texts if text]
    raise ValueError(
        f'{where} is {answers!r}; it must be a text, a list of texts, or SQuAD\'s {{"text": […]}}.'
    )


def paired_answers(predictions, references):
    """Question -> `(answers, prediction)`, in the order of the references.

    Args:
        predictions: dict of question id -> text, or list of texts.
        references: dict of question id -> answers, or list of answers; see `texts_of`.

    Raises:
        ValueError: the two do not match, there are none, or an item is of a wrong kind.
    """
    if isinstance(predictions, str) or isinstance(references, str):
        raise ValueError("predictions and references must be dicts or lists, not one text.")
    if isinstance(predictions, dict) != isinstance(references, dict):
        kinds = [type(one).__name__ for one in (predictions, references)]
        raise ValueError(
            "predictions and references must be both dicts by question id or both lists; got "
            f"{kinds[0]} and {kinds[1]}."
        )
    if not isinstance(predictions, dict):
        predictions, references = dict(enumerate(predictions)), dict(enumerate(references))
    if not references:
        raise ValueError("There are no questions to score: references is empty.")
    for missing, name, advice in (
        (references.keys() - predictions.keys(), "prediction", "predict '' for no answer"),
        (predictions.keys() - references.keys(), "reference", "drop its prediction"),
    ):
        if missing:
            raise ValueError(
                f"There is no {name} for the question {min(missing, key=str)!r} "
                f"({len(missing)} lack one); {advice}."
            )
    pairs = {}
    for question, answers in references.items():
        prediction = predictions[question]
        if not isinstance(prediction, str):
            raise ValueError(
                f"predictions[{question!r}] is {prediction!r}; it must be a text, empty for no "
                "answer."
            )
        pairs[question] = (texts_of(answers, f"references[{question!r}]"), prediction)
    return pairs
