"""What the soak's writers have counted, and what may therefore be served.

Every add is told to the ledger (ledger.h) before and after it is made. So for
each number that is served, and each scrape,

    done when the scrape began <= served <= attempted when it had ended

and, since all sources serve the same truth, what is served is never less than
what any source had served to a scrape that had ended before this one began.
"""

import fractions
import math
import mmap
import threading

# Amounts are multiples of 1 / UNITS, and their sums exact.
UNITS = 1024
# The entries of the ledger are pairs of words: attempted, done.
ENTRY_WORDS = 2
ROW_WORDS = 3


class Violation(Exception):
    """What was served cannot be true."""


class Snapshot:
    """The ledger at one moment: all of `done`, or all of `attempted`."""

    def __init__(self, words, tenths):
        self.words = words
        self.tenths = tenths


class Tenths:
    """The exact sum of the doubles that the processes have each made."""

    def __init__(self, words, doubles, first_word):
        self._words = words
        self._doubles = doubles
        self._count_word = first_word
        self._first_row = first_word + 1
        self._open = []
        self._seen = 0
        self._closed = [fractions.Fraction(0), fractions.Fraction(0)]
        self._lock = threading.Lock()

    def total(self, index):
        """Of the attempted (0) or the done (1): the nearest double."""
        with self._lock:
            newest = self._words[self._count_word]
            self._open.extend(range(self._seen + 1, newest + 1))
            self._seen = newest
            still_open = []
            values = []
            for row in self._open:
                at = self._first_row + row * ROW_WORDS
                if self._words[at + 2]:
                    for i in range(2):
                        self._closed[i] += fractions.Fraction(
                            self._doubles[at + i])
                else:
                    still_open.append(row)
                    values.append(self._doubles[at + index])
            self._open = still_open
            rest = self._closed[index]
        # In parts that are doubles: fsum rounds once, at the end.
        while rest:
            part = float(rest)
            values.append(part)
            rest -= fractions.Fraction(part)
        return math.fsum(values)


class Ledger:
    """The shared memory, as the writers' catalogue describes it."""

    def __init__(self, path, catalogue):
        with open(path, 'r+b') as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._words = memoryview(self._memory).cast('Q')
        doubles = memoryview(self._memory).cast('d')
        self.catalogue = [line.split(' ') for line in catalogue]
        entries = [int(line[1]) for line in self.catalogue
                   if line[0] == 'event']
        self._used_words = (max(entries) + 1) * ENTRY_WORDS
        first = next(int(line[1]) for line in self.catalogue
                     if line[0] == 'tenths')
        self._tenths = Tenths(self._words, doubles, first)

    def _snapshot(self, index):
        words = self._words[index:self._used_words:ENTRY_WORDS].tolist()
        return Snapshot(words, self._tenths.total(index))

    def attempted(self):
        return self._snapshot(0)

    def done(self):
        return self._snapshot(1)

    def events(self):
        done = self.done().words
        return {line[2]: done[int(line[1])] for line in self.catalogue
                if line[0] == 'event'}


class Number:
    """One served number that is a sum of entries."""

    def __init__(self, series, entries, units=1):
        self.series = series
        self.units = units
        self._entries = entries
        self.only_grows = True

    def is_known(self, done):
        """Has somebody counted it for certain?"""
        return any(done.words[entry] for entry in self._entries)

    def is_exact(self, done, attempted):
        """Is there no add that may have been made or not?"""
        return all(done.words[entry] == attempted.words[entry]
                   for entry in self._entries)

    def bounds(self, done, attempted):
        return (sum(done.words[entry] for entry in self._entries),
                sum(attempted.words[entry] for entry in self._entries))


class Level(Number):
    """What went up less what went down."""

    def __init__(self, series, entry):
        super().__init__(series, [entry, entry + 1])
        self._up = entry
        self._down = entry + 1
        self.only_grows = False

    def bounds(self, done, attempted):
        return (done.words[self._up] - attempted.words[self._down],
                attempted.words[self._up] - done.words[self._down])


class TenthsNumber(Number):
    """A sum of doubles: correctly rounded, to one unit in the last place."""

    def __init__(self, series):
        super().__init__(series, [])

    def is_known(self, done):
        return done.tenths > 0

    def is_exact(self, done, attempted):
        return done.tenths == attempted.tenths

    def bounds(self, done, attempted):
        return (math.nextafter(done.tenths, -math.inf),
                math.nextafter(attempted.tenths, math.inf))


def with_label(name, labels, label=''):
    inside = ','.join(part for part in (labels, label) if part)
    return '%s{%s}' % (name, inside) if inside else name


def bound_text(text):
    """A bound as `le` has it."""
    return text if text == '+Inf' else '%g' % float(text)


class Histogram:
    """Which numbers a histogram is made of, and what holds between them."""

    def __init__(self, words):
        first, self.name = int(words[1]), words[2]
        labels = '' if words[3] == '-' else words[3]
        bounds = [bound_text(text) for text in words[4:]] + ['+Inf']
        self.buckets = [
            with_label(self.name + '_bucket', labels, 'le="%s"' % bound)
            for bound in bounds]
        self.count = with_label(self.name + '_count', labels)
        self.sum = with_label(self.name + '_sum', labels)
        self.numbers = [
            Number(series, range(first, first + i + 1))
            for i, series in enumerate(self.buckets)]
        self.numbers.append(Number(self.count,
                                   range(first, first + len(bounds))))
        self.numbers.append(Number(self.sum, [first + len(bounds)], UNITS))

    def check(self, served):
        if self.count not in served:
            return
        counts = [served[series] for series in self.buckets]
        if counts != sorted(counts):
            raise Violation('%s: buckets fall: %s' % (self.count, counts))
        if counts[-1] != served[self.count]:
            raise Violation('%s is %s and its last bucket %s' % (
                self.count, served[self.count], counts[-1]))


def numbers_of(catalogue):
    """The numbers and histograms that the catalogue's lines stand for."""
    numbers, histograms = [], []
    for words in catalogue:
        kind, entry, series = words[0], int(words[1]), words[2]
        if kind == 'count':
            numbers.append(Number(series, [entry]))
        elif kind == 'amount':
            numbers.append(Number(series, [entry], UNITS))
        elif kind == 'level':
            numbers.append(Level(series, entry))
        elif kind == 'tenths':
            numbers.append(TenthsNumber(series))
        elif kind == 'histogram':
            histograms.append(Histogram(words))
            numbers.extend(histograms[-1].numbers)
    return numbers, histograms


def samples_in(text):
    """Exposition text -> {series: value}."""
    samples = {}
    for line in text.splitlines():
        if line and line[0] != '#':
            series, _, value = line.rpartition(' ')
            samples[series] = float(value)
    return samples


class Oracle:
    """Judges scrapes, from any source and any thread."""

    def __init__(self, ledger):
        self.ledger = ledger
        self._numbers, self._histograms = numbers_of(ledger.catalogue)
        self._floor = {}
        self._lock = threading.Lock()

    def begin(self):
        """Before the scrape is asked for."""
        with self._lock:
            return dict(self._floor), self.ledger.done()

    def judge(self, begun, text):
        """After the whole answer has come. Raises Violation; -> the samples."""
        attempted = self.ledger.attempted()
        floor, done = begun
        served = samples_in(text)
        for number in self._numbers:
            self._judge_number(number, served, floor, done, attempted)
        for histogram in self._histograms:
            histogram.check(served)
        for series, value in served.items():
            if series.startswith(('tine_counter_resets_total',
                                  'tine_damage_total')) and value != 0:
                raise Violation('%s is %g' % (series, value))
        with self._lock:
            for number in self._numbers:
                if number.only_grows and number.series in served:
                    self._floor[number.series] = max(
                        self._floor.get(number.series, 0),
                        served[number.series])
        return served

    @staticmethod
    def _judge_number(number, served, floor, done, attempted):
        lower, upper = number.bounds(done, attempted)
        series = number.series
        if series not in served:
            if series in floor or number.is_known(done):
                raise Violation('%s is absent; done %r' % (
                    series, lower / number.units))
            return
        value = served[series] * number.units
        if not lower <= value <= upper:
            raise Violation('%s is %r; done %r, attempted %r' % (
                series, served[series], lower / number.units,
                upper / number.units))
        if served[series] < floor.get(series, -math.inf):
            raise Violation('%s is %r after %r had been served' % (
                series, served[series], floor[series]))

    def judge_end(self, text):
        """Nobody counts any more. -> how many numbers there are, and to how many
        of them killed writers may or may not have made their last add."""
        begun = self.begin()
        served = self.judge(begun, text)
        if served.get('soak_living', 0) != 0:
            raise Violation('soak_living is %r and nobody lives' %
                            served['soak_living'])
        done, attempted = begun[1], self.ledger.attempted()
        return len(self._numbers), sum(
            not number.is_exact(done, attempted) for number in self._numbers)
