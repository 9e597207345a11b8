"""Everything at once, all of it real: writers that are killed, stopped, forked
and replaced, collectors that are killed while they fold, and each answer held
against a ledger.

    soak --minutes=N [--seed=S] [--writers=N]

Prints a report; exits with 1 when something was served that cannot be true. The
same seed gives the same actions in the same order, if not at the same instants.
"""

import argparse
import heapq
import os
import queue
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

from tests.soak import report, sources, truth
from tests.testing import programs

COLLECTOR = programs.path('collector/tine-collector')
COMPACT = programs.path('tools/tine-compact')
WRITERS = programs.path('tests/soak/soak_writers')
AMBUSH = programs.path('tests/soak/ambush')

WRITER_COUNT = 64
ACTIONS_A_SECOND = 10
AMBUSH_S = 5
# Files of the dead that wait to be folded, besides those of the living: no more
# than die while no collector is up, or in a long run of a busy machine than a
# quarter of all. Who folds nothing leaves all.
MOST_DEAD_FILES = 2000
MOST_RESIDENT_BYTES = 512 << 20

# Orders of ledger.h.
EXIT, FORK, FORK_TWICE, EXEC, FLOOD = 1, 2, 3, 4, 5

ACTIONS = {
    'kill': 20,
    'exit': 16,
    'fork': 16,
    'fork_twice': 8,
    'exec': 10,
    'stop': 8,
    'compact': 4,
    'kill_collector': 3,
    'end_collector': 1,
    'stop_collector': 1,
    'ambush': 3,
    'blackout': 1,
}

class Schedule:
    """Actions by the seed alone: nothing that happens changes the next one."""

    def __init__(self, seed, writer_count, actions=None):
        self._actions = actions or ACTIONS
        self._random = random.Random('%s/schedule' % seed)
        self._slots = [random.Random('%s/%d' % (seed, slot))
                       for slot in range(writer_count)]

    def next(self):
        """(pause before it, name, slots in random order, fraction)"""
        pause = min(self._random.expovariate(ACTIONS_A_SECOND), 1)
        name = self._random.choices(
            list(self._actions), self._actions.values())[0]
        slots = list(range(len(self._slots)))
        self._random.shuffle(slots)
        return pause, name, slots, self._random.random()

    def next_writer(self, slot):
        """(pause, seed, threads) of the next writer in the slot."""
        generator = self._slots[slot]
        return (generator.random() * 0.3, generator.getrandbits(40),
                generator.choice((1, 1, 1, 3)))


class Writers:
    """The process that starts writers, and what it tells."""

    def __init__(self, directory, ledger_path):
        self._process = subprocess.Popen(
            [WRITERS, directory, ledger_path, '--own-pids'], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.catalogue = []
        for line in self._process.stdout:
            if line == 'ready\n':
                break
            self.catalogue.append(line.rstrip('\n'))
        self.has_own_pids = self.catalogue.pop() == 'pids own'
        self._told = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self._told.put(line.split())

    def told(self):
        """What it has told since: lists of words."""
        if self._process.poll() is not None:
            raise RuntimeError('soak_writers has ended: %d' %
                               self._process.returncode)
        while not self._told.empty():
            yield self._told.get()

    def tell(self, *words):
        self._process.stdin.write(' '.join(map(str, words)) + '\n')
        self._process.stdin.flush()

    def quit(self):
        self.tell('quit')
        if self._process.wait(sources.DEADLINE_S) != 0:
            raise RuntimeError('soak_writers failed')

    def kill(self):
        self._process.kill()
        self._process.wait()


def metric_files(directory):
    return {name for name in os.listdir(directory) if name.endswith('.tine')}


def folded_uuids(archive):
    """The list of folded files in an archive's bytes; FORMAT.md has them."""
    used = struct.unpack_from('<Q', archive, 3968)[0] if archive else 0
    at = 4096
    while at < used:
        size, kind = struct.unpack_from('<IH', archive, at)
        if kind == 5:
            count = struct.unpack_from('<I', archive, at + 12)[0]
            for i in range(count):
                entry = at + 16 + 48 * i
                yield archive[entry:entry + 16].hex()
        at += size


class Soak:
    """One run. Everything that it starts is gone when close() returns."""

    def __init__(self, seed, writer_count=WRITER_COUNT, collector=COLLECTOR,
                 environment=None, actions=None):
        self._collector_program = collector
        self._environment = {**os.environ, **(environment or {})}
        self._writer_count = writer_count
        self._schedule = Schedule(seed, writer_count, actions)
        self._work = tempfile.mkdtemp(prefix='soak-tine-', dir='/dev/shm')
        self._directory = os.path.join(self._work, 'metrics')
        self._state = os.path.join(self._directory, '.collector')
        os.mkdir(self._directory, 0o700)
        self.journal = sources.Journal()
        self._later = []  # a heap of (when, number, action)
        self._later_count = 0
        self._stopped = set()
        self._leftovers = set()
        self._log_count = 0
        self.resident = []  # (seconds, bytes) of collectors
        self.may_ambush = True
        self.most_files = 0
        self.ends = ''
        ledger_path = os.path.join(self._work, 'ledger')
        self._writers = Writers(self._directory, ledger_path)
        self.ledger = truth.Ledger(ledger_path, self._writers.catalogue)
        oracle = truth.Oracle(self.ledger)
        self._oracle = oracle
        self._scrapers = [sources.Scraper(name, oracle, self.journal)
                          for name in ('collector A', 'collector B')]
        self._once = sources.OnceLoop(collector, self._directory,
                                      self._environment, oracle, self.journal)

    @property
    def has_own_pids(self):
        return self._writers.has_own_pids

    def close(self):
        self._writers.kill()
        for scraper in self._scrapers:
            if scraper.collector is not None:
                scraper.collector.process.kill()
                scraper.collector.process.wait()
        shutil.rmtree(self._work, ignore_errors=True)

    # ---- The run --------------------------------------------------------------

    def run(self, seconds):
        """Until the time is over or something is wrong."""
        for slot in range(self._writer_count):
            self._start_writer(slot)
        for scraper in self._scrapers:
            self._start_collector(scraper)
            scraper.start()
        self._once.start()
        next_look = 0
        pause, *action = self._schedule.next()
        due = self.journal.seconds() + pause
        while self.journal.seconds() < seconds and not self.journal.violations:
            self._do_what_is_due()
            self._hear_writers()
            if self.journal.seconds() >= next_look:
                self._look()
                next_look = self.journal.seconds() + 1
            if self.journal.seconds() >= due:
                name, slots, fraction = action
                getattr(self, '_do_' + name)(slots, fraction)
                self.journal.count('actions')
                pause, *action = self._schedule.next()
                due = self.journal.seconds() + pause
            time.sleep(0.005)

    def _do_later(self, pause, action):
        self._later_count += 1
        heapq.heappush(self._later, (self.journal.seconds() + pause,
                                     self._later_count, action))

    def _do_what_is_due(self):
        while self._later and self._later[0][0] <= self.journal.seconds():
            heapq.heappop(self._later)[2]()

    def _hear_writers(self):
        for words in self._writers.told():
            if words[0] == 'ended':
                self._stopped.discard(int(words[1]))
                self._start_writer(int(words[1]))
            elif words[0] == 'reused':
                self.journal.count('pid reused')
            self.journal.count('deaths', words[0] != 'reused')

    def _look(self):
        """At the number of files, and the collectors' memory."""
        files = metric_files(self._directory)
        self.most_files = max(self.most_files, len(files))
        gone = self._leftovers - files
        self._leftovers -= gone
        self.journal.count('leftovers removed', len(gone))
        for scraper in self._scrapers:
            collector = scraper.collector
            if collector and time.monotonic() - collector.started > 2:
                size = collector.resident_bytes()
                if size:
                    self.resident.append((self.journal.seconds(), size))

    # ---- Writers --------------------------------------------------------------

    def _start_writer(self, slot):
        pause, seed, threads = self._schedule.next_writer(slot)
        self._do_later(pause, lambda: self._writers.tell(
            'start', slot, seed, threads))

    def _do_kill(self, slots, _):
        self.journal.count('writer killed')
        self.journal.count('writer killed while stopped',
                           slots[0] in self._stopped)
        self._writers.tell('signal', slots[0], int(signal.SIGKILL))

    def _do_stop(self, slots, fraction):
        self.journal.count('writer stopped')
        self._stopped.add(slots[0])
        self._writers.tell('signal', slots[0], int(signal.SIGSTOP))
        self._do_later(fraction * 4, lambda: self._go_on(slots[0]))
        if fraction < 0.3:
            self._do_later(fraction, lambda: self._do_kill(slots, 0))

    def _go_on(self, slot):
        self._stopped.discard(slot)
        self._writers.tell('signal', slot, int(signal.SIGCONT))

    def _order(self, slot, order):
        self._writers.tell('order', slot, order)

    def _do_exit(self, slots, _):
        self.journal.count('writer ended')
        self._order(slots[0], EXIT)

    def _do_fork(self, slots, _):
        self._order(slots[0], FORK)

    def _do_fork_twice(self, slots, _):
        self._order(slots[0], FORK_TWICE)

    def _do_exec(self, slots, _):
        self._order(slots[0], EXEC)

    # ---- Collectors -----------------------------------------------------------

    def _start_collector(self, scraper):
        self._log_count += 1
        log = os.path.join(self._work, 'log-%d' % self._log_count)
        scraper.collector = sources.Collector(
            self._collector_program, self._directory, log, self._environment)
        self.journal.note('%s starts: pid %d' % (
            scraper.name, scraper.collector.process.pid))

    def _restart_later(self, scraper, pause):
        def start():
            if scraper.collector is None:
                self._start_collector(scraper)
        self._do_later(pause, start)

    def _kill_collector(self, scraper, how='is killed'):
        """SIGKILL, if the ambush was not quicker, and what that leaves."""
        collector = scraper.collector
        collector.end(signal.SIGKILL)
        self._after_death(scraper, how)

    def _after_death(self, scraper, how):
        collector, scraper.collector = scraper.collector, None
        self.journal.count('collector killed')
        self.journal.note('%s %s' % (scraper.name, how))
        if collector.is_folding:
            self._examine_state(scraper)

    def _state_file(self, name):
        """Its bytes; none when it is not there."""
        try:
            with open(os.path.join(self._state, name), 'rb') as file:
                return file.read()
        except FileNotFoundError:
            return b''

    def _examine_state(self, scraper):
        # Between folds there is nothing or zeroes.
        if self._state_file('archive.next').startswith(b'TINE'):
            self.journal.count('collector killed while it wrote the archive')
            self.journal.note('%s was writing the archive' % scraper.name)
        listed = set(folded_uuids(self._state_file('archive')))
        left = {name for name in metric_files(self._directory)
                if name.split('.')[1] in listed}
        if left:
            self._leftovers |= left
            self.journal.count('collector killed between archive and removal')
            self.journal.note('%s left %d folded files' % (scraper.name,
                                                           len(left)))

    def _do_kill_collector(self, slots, fraction):
        scraper = self._scrapers[slots[0] % 2]
        if scraper.collector is not None:
            self._kill_collector(scraper)
            self._restart_later(scraper, fraction * 2)

    def _do_end_collector(self, slots, fraction):
        scraper = self._scrapers[slots[0] % 2]
        collector = scraper.collector
        if collector is None or not collector.is_listening():
            return  # before that the signal ends it as it ends anything
        scraper.collector = None
        self.journal.note('%s is ended' % scraper.name)
        self.journal.count('collector ended')
        collector.process.send_signal(signal.SIGCONT)
        code = collector.end(signal.SIGTERM)
        if code != 0:
            self.journal.violation('a collector exits with %d: %s' % (
                code, collector.log_tail()))
        self._restart_later(scraper, fraction * 2)

    def _do_stop_collector(self, slots, fraction):
        collector = self._scrapers[slots[0] % 2].collector
        if collector is not None:
            self.journal.note('%s is stopped' % self._scrapers[slots[0] % 2].name)
            self.journal.count('collector stopped')
            collector.process.send_signal(signal.SIGSTOP)
            self._do_later(fraction * 3, lambda: collector.process.send_signal(
                signal.SIGCONT))

    def _do_ambush(self, slots, fraction):
        """Many die, and then the folder, in the middle of its fold. The other
        collector does so before, lest it mends what there is to see."""
        scrapers = [scraper for scraper in self._scrapers
                    if scraper.collector is not None]
        scrapers.sort(key=lambda scraper: scraper.collector.is_folding)
        if not scrapers or not scrapers[-1].collector.is_folding:
            return
        for other in scrapers[:-1]:
            self._kill_collector(other)
            self._restart_later(other, fraction * 2)
        scraper = scrapers[-1]
        self._order(slots[0], FLOOD)
        for slot in slots[1:self._writer_count // 2]:
            self._do_kill([slot], 0)
        when = 'renamed' if fraction < 0.7 else 'written'
        ambush = subprocess.run(
            [AMBUSH, str(scraper.collector.process.pid), when, str(AMBUSH_S)],
            check=False)
        self.may_ambush = ambush.returncode != 3
        if ambush.returncode == 0:
            scraper.collector.process.wait()
            self._after_death(scraper, 'is ambushed: archive ' + when)
            self._restart_later(scraper, fraction * 2)

    def _compact(self):
        """-> the exit code and what it printed."""
        result = programs.run(COMPACT, '--dir=' + self._directory,
                              timeout=sources.DEADLINE_S)
        self.journal.note('compact: %d, %s' % (
            result.returncode, result.stdout.splitlines()[:1]))
        if result.returncode not in (0, 3):
            self.journal.violation('tine-compact exits with %d: %s' % (
                result.returncode, result.stderr))
        return result.returncode, result.stdout

    def _do_compact(self, _, __):
        code, _ = self._compact()
        self.journal.count('compact had to leave it', code == 3)

    def _do_blackout(self, _, fraction):
        """No collector at all; what dies meanwhile is folded by hand."""
        for scraper in self._scrapers:
            if scraper.collector is not None:
                self._kill_collector(scraper, 'is killed with the other')
            self._restart_later(scraper, fraction * 3)
        code, text = self._compact()
        self.journal.count('compact folded while no collector ran',
                           code == 0 and 'folded 0 files' not in text)

    # ---- The end --------------------------------------------------------------

    def finish(self):
        """Stops everything, compacts, and compares what is left."""
        for scraper in self._scrapers:
            if scraper.collector is not None:
                scraper.collector.process.send_signal(signal.SIGCONT)
            scraper.stop()
        self._once.stop()
        self._writers.quit()
        for scraper in self._scrapers:
            if scraper.collector is not None:
                scraper.collector.end(signal.SIGTERM)
                scraper.collector = None
        code, text = self._compact()
        left = metric_files(self._directory)
        if code != 0 or left:
            self.journal.violation('compact exits with %d and leaves %s: %s' % (
                code, sorted(left), text))
        try:
            numbers, open_ends = self._oracle.judge_end(self._once.output())
            self.ends = ('%d numbers are the ledger\'s; in %d of them a killed '
                         'writer had begun an add' % (numbers, open_ends))
        except truth.Violation as violation:
            self.journal.violation('at the end: %s' % violation)
        self._check_use()

    def _check_use(self):
        events = self.ledger.events()
        most = self._writer_count * 2 + max(
            MOST_DEAD_FILES, (events['births'] + events['forks']) // 4)
        if self.most_files > most:
            self.journal.violation('%d files at once, more than %d' % (
                self.most_files, most))
        sizes = [size for _, size in self.resident]
        if sizes and max(sizes) > MOST_RESIDENT_BYTES:
            self.journal.violation('a collector had %d bytes resident' %
                                   max(sizes))


def run(seconds, seed, **options):
    """A whole soak; -> it, with its report printed."""
    print('seed %s' % seed, flush=True)
    soak = Soak(seed, **options)
    try:
        soak.run(seconds)
        soak.finish()
    finally:
        soak.close()
    print(report.text(soak, seed), flush=True)
    return soak


def end_in_order(signal_number, _):
    sys.exit(128 + signal_number)


def parse_arguments():
    parser = argparse.ArgumentParser(prog='soak', allow_abbrev=False)
    parser.add_argument('--minutes', type=float, required=True)
    parser.add_argument('--seed', default=str(random.SystemRandom().getrandbits(32)))
    parser.add_argument('--writers', type=int, default=WRITER_COUNT)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, end_in_order)
    soak = run(arguments.minutes * 60, arguments.seed,
               writer_count=arguments.writers)
    sys.exit(1 if soak.journal.violations else 0)


if __name__ == '__main__':
    main()
