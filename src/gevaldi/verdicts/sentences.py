"""A verdict in sentences, the same on the terminal, on the page, in a gate's comment and in a notebook."""

from collections import Counter

from gevaldi.names import listed, plain, told_apart
from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.words import percentage
from gevaldi.verdicts.answers import last_answers
from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.by_class import by_class
from gevaldi.verdicts.decisions import Decision
from gevaldi.verdicts.means import means
from gevaldi.verdicts.scores import Score

LISTED = 5  # most candidates by name
EXCEPTIONS = 3  # most classes by name
CHANCE = 1.5  # times a guess's accuracy, up to which a classifier is hardly better


def amount(value: float, score: Score, pictures: int) -> str:
    """A difference of scores, without its sign: 0.42 percentage points, or 0.031 levels."""
    size = abs(value)
    if score.unit:
        return f"{score.scale * size:.3g} {score.unit}"
    decimals = 2 if pictures >= 1000 else 1
    return f"{100 * size:.{decimals}f} percentage points"


def signed(value: float, score: Score, pictures: int) -> str:
    """A difference with its sign: +0.42 percentage points."""
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{amount(value, score, pictures)}"


def span(estimate: Estimate, score: Score, pictures: int) -> str:
    """An interval: −0.10 to +0.42 percentage points; one that is a point is exact."""
    if estimate.low == estimate.high:
        return "exact"
    low, high = (signed(end, score, pictures) for end in (estimate.low, estimate.high))
    return f"{low.partition(' ')[0]} to {high}"


def quantity(score: Score) -> str:
    """What is compared: accuracy, mean cost ..."""
    kind, _, rest = score.name.partition(":")
    if kind == "class":
        return f"accuracy at telling {plain(rest)} from the rest"
    if kind.startswith("top-"):
        return f"{kind} accuracy"
    return {"levels": "mean distance from the truth", "cost": "mean cost"}.get(kind, kind)


def lower_is_better(score: Score) -> bool:
    """Whether what is compared is better if lower; the score is then 1 minus it, over the largest there is."""
    return bool(score.unit)


def operands(score: Score, first: str, second: str) -> tuple[str, str]:
    """From whose quantity whose is subtracted, so that a difference above zero speaks for the second."""
    return (first, second) if lower_is_better(score) else (second, first)


def counts(verdict: Assessment) -> str:
    """On how many pictures the classifiers differ."""
    if len(verdict.names) > 2:
        return f"The {len(verdict.names)} classifiers do not all agree on {_of(verdict, len(verdict.disputed), len(verdict.pool))}."
    own, (first, second) = verdict.main, short_names(verdict)
    if own.score.name == "accuracy":
        first_has, second_has = (one.top[:, 0] >= 0 for one in verdict.pool.predictions)
        lone = int((first_has != second_has).sum())
        only = f"; on {lone:,} of these, one of the two has no answer" if lone else ""
        return f"{first} and {second} answer differently on {_of(verdict, own.disputed, own.size)}{only}."
    return f"{first} and {second} can differ in {quantity(own.score)} on {_of(verdict, own.disputed, own.size)}."


def mean_scores(verdict: Assessment) -> str:
    """How each classifier scores on the whole pool, or why nobody knows; of many classifiers, the table has it."""
    own, score, real = means(verdict), verdict.questions[0].score, verdict.pool.medium.real
    what, labelled = quantity(score), own.agreed - own.missing
    if own.missing:
        alike = "agree" if score.name == "accuracy" else "score alike"
        only = f"only {labelled:,} of the" if labelled else "the"
        have = "have no label" if not labelled else "has a label" if labelled == 1 else "have a label"
        return f"The {what} of each on this pool is not known: {only} {own.agreed:,} {real}s on which they {alike} {have}."
    if not own.bounds or len(verdict.names) > LISTED or (not own.agreed and not verdict.truths):
        return ""
    each = [
        f"{name} {mean_score(ends, score, len(verdict.pool))}" for name, ends in zip(short_names(verdict), own.bounds, strict=True)
    ]
    unclear = f", whatever the {real}s without a clear label show" if any(low < high for low, high in own.bounds) else ""
    right = ", if every label is right" if verdict.main.error else ""
    return f"On all {len(verdict.pool):,} {real}s the {what} is: {', '.join(each)}{unclear}{right}."


def mean_score(ends: tuple[float, float], score: Score, pictures: int) -> str:
    """A mean score in its unit, or its bounds: 97.25 %, 0.31 levels, 96.80 % to 97.40 %."""
    low, high = (1 - ends[1], 1 - ends[0]) if lower_is_better(score) else ends
    some = (low, high) if low < high else (low,)
    return " to ".join(f"{score.scale * end:.3g} {score.unit}" if score.unit else percentage(end, pictures) for end in some)


def _of(verdict: Assessment, count: int, size: int) -> str:
    return f"{count:,} of {size:,} {verdict.pool.medium.real}s ({percentage(count / size, size)})"


def short_names(verdict: Assessment) -> list[str]:
    """Names of the classifiers: two as short as they differ, several tables by their files."""
    names = verdict.names
    if len(names) == 2:
        return list(told_apart(names[0], names[1]))
    files = [name.removeprefix("table:") for name in names]
    return files if len(set(files)) == len(names) else names


def sentences(verdict: Assessment) -> list[str]:
    """The whole verdict: the decision first, then what it rests on, and what not to conclude."""
    found = [headline(verdict), counts(verdict), mean_scores(verdict), by_chance(verdict), exceptions(verdict)]
    if len(verdict.disputed):
        found += [labels_used(verdict), basis(verdict), allowance(verdict), outlook(verdict)]
    return [one for one in (*found, caution(verdict), *guess(verdict)) if one]


def guess(verdict: Assessment) -> list[str]:
    """What the generator says, if one was asked."""
    return verdict.guess.sentences(short_names(verdict)) if verdict.guess else []


def labels_used(verdict: Assessment) -> str:
    """How many labels the decision rests on."""
    own, many = verdict.main, len(verdict.names) > 2
    labelled, waiting = (len(verdict.truths), verdict.waiting) if many else (len(own.labelled), own.waiting)
    of = len(verdict.disputed) if many else own.disputed
    later = ""
    if waiting:
        these = ": these only bound the difference until the order reaches them" if verdict.settings.budget is None else ""
        later = f", {waiting:,} of them out of order{these}"
    return f"{labelled:,} of {of:,} disputed {verdict.pool.medium.real}s are labelled{later}.{_contradictions(verdict)}"


def by_chance(verdict: Assessment) -> str:
    """Which classifiers are right about as often as a guess, which an error in their names or preparation may explain."""
    bounds, score, classes = means(verdict).bounds, verdict.questions[0].score, len(verdict.pool.classes)
    if score.name != "accuracy" or classes < 3:
        return ""
    found = [name for name, (_, high) in zip(short_names(verdict), bounds, strict=False) if high <= CHANCE / classes]
    are, their = ("is", "its") if len(found) == 1 else ("are", "their")
    return (
        f"{listed(found)} {are} hardly more often right than a guess among {classes:,} classes: check {their} normalisation (mean, "
        "std) and the order of the classes."
        if found
        else ""
    )


def exceptions(verdict: Assessment) -> str:
    """On which classes it is the other way round, where all labels are known; of fewer, chance would name some."""
    sign = {"better": 1, "worse": -1}.get(verdict.decision.word) if len(verdict.names) == 2 and verdict.main.is_exact else None
    found = [one for one in by_class(verdict) if sign and (one.better - one.worse) * sign < 0]
    if not found or not sign:
        return ""
    named = [f"{plain(one.name)} ({one.worse:,} worse, {one.better:,} better)" for one in found[::sign][:EXCEPTIONS]]
    more = f", and for {len(found) - EXCEPTIONS:,} more classes" if len(found) > EXCEPTIONS else ""
    few = f"Few {verdict.pool.medium.real}s of one class say little of others like them."
    return f"It is the other way round for {listed(named)}{more}. {few}"


def _contradictions(verdict: Assessment) -> str:
    """How many answers differ from what the pool knows."""
    places = verdict.contradicted
    if not places:
        return ""
    one = f"1 of them differs from the class that the pool has for its {verdict.pool.medium.real}, and counts"
    several = f"{len(places):,} of them differ from the classes that the pool has, and count"
    return f" {one if len(places) == 1 else several} in its place, such as for {plain(verdict.pool.ids[places[0]].as_py())}."


def origins(verdict: Assessment) -> str:
    """Where labels come from: 4,995 labels from truth.csv; 120 answers by 2 people; classes that the pool knows."""
    standing = [one for some in last_answers(verdict.answers.all()).values() for one in some]
    files = Counter(one.source for one in standing if not one.person)
    people = Counter(one.person for one in standing if one.person)
    found = [f"{files.total():,} label{'' if files.total() == 1 else 's'} from {listed(list(files))}"] if files else []
    by = "one person" if len(people) == 1 else f"{len(people):,} people"
    found += [f"{people.total():,} answer{'' if people.total() == 1 else 's'} by {by}"] if people else []
    found += ["classes that the pool knows"] if verdict.uses_truth else []
    return "; ".join(found) or "none"


def headline(verdict: Assessment) -> str:
    """The decision in one sentence."""
    return _best(verdict) if len(verdict.names) > 2 else _pair(verdict)


def _pair(verdict: Assessment) -> str:
    first, second = short_names(verdict)
    own, decision, score = verdict.main, verdict.decision, verdict.questions[0].score
    what, margin = quantity(score), amount(verdict.margin, score, own.size)
    if own.disputed == 0:
        alike = "give the same answer" if score.name == "accuracy" else "score alike, whatever is true,"
        everything = f"all {own.size:,} {verdict.pool.medium.real}s"
        return f"{second} and {first} are equal in {what} on this pool: they {alike} on {everything}."
    if own.is_early and verdict.state == "undecided":
        return f"Undecided until all {verdict.settings.budget:,} labels of the budget are there."
    far = amount(min(abs(decision.low), abs(decision.high)), score, own.size)
    if decision.word in ("better", "worse"):
        exact = " exactly" if own.is_exact else " at least"
        within = f", and by at most the margin of {margin}" if verdict.margin and decision.is_within_margin else ""
        way = "higher" if (decision.low > 0) != lower_is_better(score) else "lower"
        return f"{second} is {decision.word} than {first} on this pool: its {what} is {way} by{exact} {far}{within}."
    free = " No label was needed for that." if own.used + own.waiting == 0 else ""
    if decision.word == "equivalent":
        if verdict.margin == 0:
            return f"{second} and {first} are exactly equal in {what} on this pool."
        return f"{second} and {first} are equivalent on this pool: their {what} differs by at most the margin of {margin}.{free}"
    if decision.word == "not worse":
        by = f" by more than the margin of {margin}" if verdict.margin else ""
        return f"{second} is not worse than {first} on this pool{by} in {what}.{free}"
    bound = amount(max(abs(decision.low), abs(decision.high)), score, own.size)
    return f"Undecided which is better in {what}: {first} and {second} differ by at most {bound} on this pool."


def _best(verdict: Assessment) -> str:
    ranking, names = verdict.ranking, short_names(verdict)
    what = quantity(verdict.questions[0].score)
    if len(ranking.candidates) == 1:
        return f"{names[ranking.candidates[0]]} is the best of {len(names)} in {what} on this pool."
    ordered = [names[i] for i in ranking.order if i in ranking.candidates]
    listed = ", ".join(ordered[:LISTED]) + (f" and {len(ordered) - LISTED} more" if len(ordered) > LISTED else "")
    if ranking.is_decided:
        margin = amount(verdict.margin, verdict.questions[0].score, len(verdict.pool))
        return f"One of {listed} is the best in {what}, and they are within the margin of {margin} of each other."
    count = len(ranking.candidates)
    return f"Undecided which is the best in {what}: {'any' if count == len(names) else count} of {len(names)} may be: {listed}."


def basis(verdict: Assessment) -> str:
    """What the intervals of differences rest on."""
    if len(verdict.evidence) == 1 and verdict.main.is_exact:
        return "So the difference on this pool is known exactly."
    level, count = percentage(verdict.settings.confidence), len(verdict.evidence)
    who = "The interval holds" if count == 1 else f"All {count} intervals of differences hold together"
    if verdict.settings.budget is not None:
        return f"{who} with {level} confidence for the {verdict.settings.budget:,} labels fixed beforehand, at no earlier look."
    shared = "" if count == 1 else f"; each misses with at most {percentage(verdict.main.miss, 1000)}"
    return f"{who} with {level} confidence, however often one looks{shared}."


def allowance(verdict: Assessment) -> str:
    """Which errors of labels the intervals allow for; empty if none."""
    error, own, real = verdict.main.error, verdict.main, verdict.pool.medium.real
    if error is None:
        return ""
    if error.claimed is None and not error.pairs.count and not error.controls.count:
        return f"How often labels are wrong is not measured yet: no {real} has answers of two people, and no control has any."
    most = f"of the {own.disputed:,} labels up to {own.most_wrong():,}" if len(verdict.names) == 2 else "some labels"
    allowed = f"The decision allows for errors: {most} may be wrong, whichever these are"
    if error.claimed is not None:
        return f"{allowed}, since each is claimed to be wrong with a chance of at most {100 * error.claimed:g} %."
    pairs, controls = error.pairs, error.controls
    parts = [f"the answers of two people are not the same on {pairs.wrong:,} of {pairs.count:,} {real}s"] if pairs.count else []
    parts += [f"{controls.wrong:,} of {controls.count:,} controls are answered wrongly"] if controls.count else []
    presumed = f"on disputed {real}s as often as on controls" if not pairs.count else f"on every {real} at most as often as not"
    return f"{allowed}, since {' and '.join(parts)}. This presumes that people err independently, {presumed}."


def outlook(verdict: Assessment) -> str:
    """How many labels a decision needs; empty once there is nothing to label."""
    left, real = verdict.left, verdict.pool.medium.real
    if not left:
        return ""
    if verdict.settings.budget is not None:
        return f"{left:,} of the labels fixed beforehand are missing."
    if verdict.main.used == 0 and len(verdict.names) == 2 and verdict.questions[0].score.name == "accuracy":
        parts = [
            f"about {count:,} if {100 * share:.0f} % of the disputed {real}s favour one side" for share, count in verdict.expected
        ]
        return f"Labels to expect: {'; '.join(parts)}. All {left:,} settle it exactly."
    ahead = verdict.forecast
    if ahead.labels >= ahead.most:
        return f"At this rate all {ahead.most:,} {real}s of the queue need a label."
    spread = f" ({ahead.low:,} to {ahead.high:,})" if ahead.low < ahead.high else ""
    return f"About {ahead.labels:,} more labels{spread}, at most {ahead.most:,}."


def caution(verdict: Assessment) -> str:
    """What not to conclude."""
    low, high = verdict.main.on_pictures_like_these()
    own, real = verdict.main, verdict.pool.medium.real
    pool = f"The decision is about the {real}s of this pool."
    if len(verdict.names) > 2:
        return f"{pool} For other {real}s it holds as far as they are like these."
    minuend, subtrahend = operands(own.score, *short_names(verdict))
    return (
        f"{pool} If they are a random sample of the {real}s that matter, the difference over all of those ({minuend} minus "
        f"{subtrahend}, in {quantity(own.score)}) is between "
        f"{span(Estimate(0, low, high), own.score, own.size).replace(' to ', ' and ')}.{_only_here(verdict, low, high)}"
    )


def _only_here(verdict: Assessment, low: float, high: float) -> str:
    """That a claim holds for the pool and is not shown beyond it, if that is so."""
    beyond = Decision(low, high, verdict.margin).state(verdict.settings.claim)
    if verdict.state != "holds" or beyond == "holds":
        return ""
    return " So the claim holds for this pool and is not shown for all of those."
