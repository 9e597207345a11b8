"""What a soak has to say at its end."""

# What a long run must have seen, or it has shown less than it says.
RARE = (
    'writer killed', 'writer killed while stopped', 'writer ended',
    'writer stopped', 'execs', 'forks', 'orphans', 'collector killed',
    'collector stopped', 'collector ended', 'reader took over',
    'scrapes of a reader', 'runs of --once', 'not ready (503)',
    'files folded by a collector', 'compact had to leave it',
    'compact folded while no collector ran')
RARE_WITH_OWN_PIDS = ('pid reused',)
RARE_WITH_AMBUSH = (
    'collector killed while it wrote the archive',
    'collector killed between archive and removal', 'leftovers removed')


def memory_line(resident):
    """`resident`: (seconds, bytes) of collectors at different times."""
    if len(resident) < 2:
        return 'collector memory: too short a run'
    times, sizes = zip(*resident)
    middle = sum(times) / len(times)
    mean = sum(sizes) / len(sizes)
    spread = sum((time - middle) ** 2 for time in times)
    slope = sum((time - middle) * (size - mean)
                for time, size in resident) / spread
    return ('collector memory: %.1f MiB on average, %.1f at most, slope '
            '%+.1f KiB a minute' % (mean / 2**20, max(sizes) / 2**20,
                                    slope * 60 / 1024))


def rare(soak):
    """{what: how often}; what never happened has 0."""
    counts = {**soak.journal.counts, **soak.ledger.events()}
    names = (RARE + (RARE_WITH_OWN_PIDS if soak.has_own_pids else ()) +
             (RARE_WITH_AMBUSH if soak.may_ambush else ()))
    return {name: counts.get(name, 0) for name in names}


def text(soak, seed):
    journal = soak.journal
    events = soak.ledger.events()
    lines = ['seed %s, %.0f s, %d actions' % (
        seed, journal.seconds(), journal.counts['actions'])]
    lines.append('%d scrapes, %d runs of --once, %d without an answer' % (
        journal.counts['scrapes'], journal.counts['runs of --once'],
        journal.counts['no answer']))
    lines.append('%d writers born, %d children, %d deaths; at most %d files' % (
        events['births'], events['forks'], journal.counts['deaths'],
        soak.most_files))
    lines.append(memory_line(soak.resident))
    if not soak.has_own_pids:
        lines.append('no pid namespace to be had: pids were not reused on '
                     'purpose')
    if not soak.may_ambush:
        lines.append('no right to trace: collectors were killed in the middle '
                     'of a fold by chance only')
    lines.append('sometimes:')
    lines.extend('  %6d %s' % (count, name)
                 for name, count in rare(soak).items())
    if soak.ends:
        lines.append(soak.ends)
    lines.append('%d violations' % len(journal.violations))
    if journal.violations:
        lines.extend('  ' + text for text in journal.violations[:20])
        lines.append('the last events:')
        lines.extend('  ' + text for text in journal.last_events())
    return '\n'.join(lines)
