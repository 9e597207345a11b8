"""tine-compact by its contract, and tine-inspect on what it leaves."""

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest
import zlib

from tests.integration import collector_process
from tests.testing import outcome_lines, programs

COMPACT = programs.path('tools/tine-compact')
EMIT = programs.path('tools/tine-emit')
INSPECT = programs.path('tools/tine-inspect')
F_OFD_SETLK = 37
NOBODY = {'user': 65534, 'group': 65534, 'extra_groups': []}


def metric_files(directory):
    return sorted(name for name in os.listdir(directory)
                  if name.endswith('.tine'))


def uuid_of(name):
    return name.split('.')[1]


def everything_in(directory):
    """Every name below it, with all that could change."""
    result = {}
    for folder, folders, files in os.walk(directory):
        for name in ['.'] + folders + files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            content = b''
            if name in files:
                with open(path, 'rb') as file:
                    content = file.read()
            result[path] = (status.st_ino, status.st_mode, status.st_mtime_ns,
                            status.st_ctime_ns, content)
    return result


class CompactTest(unittest.TestCase):
    def setUp(self):
        self.directory = programs.metrics_directory(self)

    def emit(self, *arguments):
        """A writer that counts once and ends; the name of its file."""
        before = set(metric_files(self.directory))
        subprocess.run([EMIT, '--dir=' + self.directory, *arguments],
                       check=True)
        (name,) = set(metric_files(self.directory)) - before
        return name

    def start_writer(self, *lines):
        """A live one, and the name of its file."""
        before = set(metric_files(self.directory))
        writer = programs.start(
            self, EMIT, '--dir=' + self.directory, '--stdin', '--ack',
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for line in lines:
            writer.stdin.write(line + '\n')
            writer.stdin.flush()
            self.assertEqual(writer.stdout.readline(), 'ok\n')
        (name,) = set(metric_files(self.directory)) - before
        return writer, name

    def compact(self, *arguments, **options):
        return programs.run(COMPACT, '--dir=' + self.directory, *arguments,
                            **options)

    def compact_well(self, *arguments):
        result = self.compact(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        return result.stdout

    def served(self):
        result = collector_process.run('--dir=' + self.directory, '--once')
        self.assertEqual(result.returncode, 0, result.stderr)
        return sorted(line for line in result.stdout.splitlines()
                      if not line.startswith('#'))

    def place_foreign(self, name='counter_u64'):
        """A golden file is of another boot, and so of another kernel."""
        return os.path.basename(
            collector_process.place_golden(self.directory, name + '.tine'))


class DryRunTest(CompactTest):
    def test_dry_run_names_everything_and_changes_nothing(self):
        self.emit('counter', 'old_total', '7')
        self.compact_well()
        dead = self.emit('counter', 'c_total', 'a=b', '1')
        writer, live = self.start_writer('counter live_total 1')
        foreign = self.place_foreign()
        bad = '1.%032x.tine' % 7
        with open(os.path.join(self.directory, bad), 'wb') as file:
            file.write(b'x' * 5000)
        before = everything_in(self.directory)
        arguments = ['--forget={__name__=~".+_total"}',
                     '--purge-quarantine=0s',
                     '--assume-dead=' + uuid_of(foreign)]
        text = self.compact_well('--dry-run', *arguments)
        self.assertEqual(everything_in(self.directory), before)
        self.assertIn('would fold 2 files of dead writers\n', text)
        for name in (dead, foreign):
            self.assertIn('  %s\n' % name, text)
        self.assertNotIn(live, text)
        self.assertIn('would remove 1 quarantined file\n  %s: bad_magic\n'
                      % bad, text)
        self.assertIn('  c_total{a="b"}\n', text)
        self.assertIn('  old_total\n', text)
        self.assertNotIn('live_total', text)
        # And that is what happens then.
        done = self.compact(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('folded 2 files', done.stdout)
        self.assertEqual(metric_files(self.directory), [live])
        self.assertEqual(self.served(), ['live_total 1'])
        writer.kill()

    def test_dry_run_where_nothing_was_ever_folded_makes_nothing(self):
        self.emit('counter', 'c_total', '1')
        before = everything_in(self.directory)
        self.assertIn('would fold 1 file ', self.compact_well('--dry-run'))
        self.assertEqual(everything_in(self.directory), before)

    def test_dry_run_says_that_a_collector_runs(self):
        collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory)
        programs.wait_until(
            lambda: os.path.exists(self.directory + '/.collector/lock'),
            'the lock')
        result = self.compact('--dry-run')
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn('a collector runs there', result.stdout)
        collector.stop()


class ForgetTest(CompactTest):
    def setUp(self):
        super().setUp()
        for app in ('old', 'new'):
            self.emit('--process-labels=app=' + app, 'counter', 'c_total', '1')
            self.emit('--process-labels=app=' + app, 'histogram', 'h', '3',
                      '--buckets=1,5')
        self.compact_well()

    def test_series_are_gone_for_good(self):
        text = self.compact_well('--forget=c_total{app="old"}',
                                 '--forget={__name__="h",app!~"n.*"}')
        self.assertIn('forgot 2 series\n  c_total{app="old"}\n'
                      '  h{app="old"}\n', text)
        self.assertIn('c_total{app="new"} 1', self.served())
        self.assertFalse([line for line in self.served() if 'old' in line])
        # Who comes again begins at zero.
        self.emit('--process-labels=app=old', 'counter', 'c_total', '5')
        self.assertIn('c_total{app="old"} 5', self.served())
        self.compact_well()
        self.assertIn('c_total{app="old"} 5', self.served())

    def test_series_that_lives_stays_whole(self):
        writer, _ = self.start_writer('counter c_total app=old 10',
                                      'gauge g 1 --mode=max')
        self.emit('gauge', 'g', '5', '--mode=max')
        result = self.compact('--forget=c_total', '--forget=g')
        self.assertEqual(result.returncode, 1)
        self.assertIn('1 series stayed, because a file still adds to them',
                      result.stderr)
        self.assertIn('\n  c_total{app="old"}\n', result.stderr)
        self.assertIn('forgot 2 series\n  c_total{app="new"}\n  g\n',
                      result.stdout)
        served = self.served()
        self.assertIn('c_total{app="old"} 11', served)
        self.assertNotIn('c_total{app="new"} 1', served)
        # A gauge's value may fall.
        self.assertIn('g 1', served)
        writer.stdin.close()
        writer.wait()
        self.assertIn('forgot 1 series', self.compact_well('--forget=c_total'))
        self.assertFalse([line for line in self.served() if 'c_total' in line])

    def test_nothing_that_matches_is_no_failure(self):
        before = self.served()
        self.assertIn('forgot 0 series', self.compact_well('--forget=x'))
        self.assertEqual(self.served(), before)

    def test_selector_that_is_none_is_told_where(self):
        for selector, error in (('c_total{', 'at byte 9: "}" is missing'),
                                ('{}', 'must refuse the empty value'),
                                ('c{a=~"("}', 'regular expression')):
            result = self.compact('--forget=' + selector)
            self.assertEqual(result.returncode, 2)
            self.assertIn(error, result.stderr.replace('\\"', '"'))


class AssumeDeadTest(CompactTest):
    def test_foreign_file_is_folded_at_its_uuid(self):
        name = self.place_foreign()
        before = self.served()
        self.assertIn('folded 0 files', self.compact_well())
        self.assertEqual(metric_files(self.directory), [name])
        text = self.compact_well('--assume-dead=' + uuid_of(name))
        self.assertIn('folded 1 files', text)
        self.assertEqual(metric_files(self.directory), [])
        self.assertEqual(self.served(), before)

    def test_held_lock_is_refused(self):
        writer, name = self.start_writer('counter c_total 1')
        result = self.compact('--assume-dead=' + uuid_of(name))
        self.assertEqual(result.returncode, 1)
        self.assertIn('--assume-dead=%s: somebody holds its life lock'
                      % uuid_of(name), result.stderr)
        self.assertEqual(metric_files(self.directory), [name])
        writer.kill()

    def test_unknown_uuid_is_named(self):
        uuid = '%032x' % 5
        result = self.compact('--assume-dead=' + uuid)
        self.assertEqual(result.returncode, 1)
        self.assertIn('%s: no file here has that UUID' % uuid, result.stderr)
        result = self.compact('--assume-dead=' + uuid.replace('5', 'X'))
        self.assertEqual(result.returncode, 2)
        self.assertIn('32 lower-case hexadecimal digits', result.stderr)


class PurgeTest(CompactTest):
    def place_damaged(self, number=9):
        """A damaged file of this kernel, whose sound part counts."""
        name = self.emit('counter', 'c%d_total' % number, '1')
        with open(os.path.join(self.directory, name), 'r+b') as file:
            used = struct.unpack('<Q', os.pread(file.fileno(), 8, 3968))[0]
            file.seek(3968)
            file.write(struct.pack('<Q', used + 64))
        return name

    def test_damaged_file_is_kept_until_it_is_purged(self):
        name = self.place_damaged()
        text = self.compact('--purge-quarantine=1h').stdout
        self.assertIn('folded 1 files', text)
        self.assertEqual(metric_files(self.directory), [name])
        self.assertEqual(self.served(), ['c9_total 1'])
        text = self.compact_well('--purge-quarantine=0s')
        self.assertIn('removed 1 quarantined file\n  %s: folded\n' % name, text)
        self.assertEqual(metric_files(self.directory), [])
        self.assertEqual(self.served(), ['c9_total 1'])
        self.compact_well()
        self.assertEqual(self.served(), ['c9_total 1'])

    def test_age_and_lock_keep_a_file(self):
        path = os.path.join(self.directory, '1.%032x.tine' % 3)
        with open(path, 'wb') as file:
            file.write(b'x' * 5000)
        os.utime(path, (0, 0))  # forged: it was changed just now
        self.compact('--purge-quarantine=1h')
        self.assertTrue(os.path.exists(path))
        with open(path, 'r+b') as file:
            fcntl.fcntl(file, F_OFD_SETLK,
                        struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))
            result = self.compact('--purge-quarantine=0s')
            self.assertIn('stays: somebody holds its life lock', result.stderr)
            self.assertTrue(os.path.exists(path))
        result = self.compact('--purge-quarantine=0s')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertFalse(os.path.exists(path))

    def test_what_is_no_file_is_left_alone(self):
        path = os.path.join(self.directory, '1.%032x.tine' % 3)
        os.symlink('/etc/passwd', path)
        result = self.compact('--purge-quarantine=0s')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('not a regular file', result.stderr)
        self.assertTrue(os.path.lexists(path))

    def test_purge_needs_no_stop_of_the_collector(self):
        path = os.path.join(self.directory, '1.%032x.tine' % 3)
        with open(path, 'wb') as file:
            file.write(b'x' * 5000)
        collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory)
        collector.scrape()
        result = self.compact('--purge-quarantine=0s', '--wait')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertFalse(os.path.exists(path))

    def test_age_must_have_a_unit(self):
        for age in ('5', 'm', '5w', '-5m', '5 m', '', '99999999999999999999d'):
            result = self.compact('--purge-quarantine=' + age)
            self.assertEqual(result.returncode, 2, age)
            self.assertIn('--purge-quarantine', result.stderr)


class CollectorRunsTest(CompactTest):
    def test_what_needs_the_archive_is_not_done(self):
        self.emit('counter', 'c_total', '1')
        collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory)
        collector.scrape()
        for flags in (['--forget=c_total'], ['--forget=c_total', '--wait']):
            result = self.compact(*flags)
            self.assertEqual(result.returncode, 3, result.stderr)
            self.assertIn('stop it first', result.stderr)
        self.assertIn('\nc_total 1\n', collector.scrape())

    def test_stopped_collector_is_waited_for_and_no_longer(self):
        collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory)
        collector.scrape()
        os.kill(collector.pid, signal.SIGSTOP)
        name = self.emit('counter', 'c_total', '1')
        result = self.compact('--wait', '--wait-seconds=1')
        os.kill(collector.pid, signal.SIGCONT)
        self.assertEqual(result.returncode, 1)
        self.assertIn('has not folded within 1 s', result.stderr)
        self.assertIn(name, result.stderr)
        self.assertEqual(self.compact('--wait').returncode, 0)


class OtherUserTest(CompactTest):
    """Programs run by a user who may not do everything."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest('needs root, to be two users')
        # Where that user may run them.
        self.programs = tempfile.mkdtemp(prefix='test-tine-')
        self.addCleanup(shutil.rmtree, self.programs)
        os.chmod(self.programs, 0o755)
        os.chmod(self.directory, 0o1777)

    def copy_of(self, program):
        return shutil.copy(program, self.programs)

    def compact_as_nobody(self, *arguments):
        return programs.run(self.copy_of(COMPACT), '--dir=' + self.directory,
                            *arguments, **NOBODY)

    def test_file_that_may_not_be_removed_is_named_and_stays(self):
        # A sticky directory of a third user: nobody may remove root's file.
        os.chown(self.directory, 12345, 12345)
        name = self.emit('counter', 'c_total', '1')
        os.chmod(os.path.join(self.directory, name), 0o644)
        state = programs.metrics_directory(self)
        os.chown(state, 65534, 65534)
        for flags, exit_code in (([], 1), (['--dry-run'], 0)):
            result = self.compact_as_nobody('--state-dir=' + state, *flags)
            text = result.stderr + result.stdout
            self.assertIn('may not remove it', text)
            self.assertIn(name, text)
            self.assertEqual(result.returncode, exit_code, text)
        self.assertEqual(metric_files(self.directory), [name])
        collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory, '--state-dir=' + state,
            program=self.copy_of(collector_process.COLLECTOR), **NOBODY)
        collector.scrape()
        result = self.compact_as_nobody('--state-dir=' + state, '--wait')
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn('may not remove it', result.stderr)
        self.assertIn(name, result.stderr)

    def test_quarantined_file_that_may_not_be_removed_stays(self):
        os.chown(self.directory, 12345, 12345)
        path = os.path.join(self.directory, '1.%032x.tine' % 3)
        with open(path, 'wb') as file:
            file.write(b'x' * 5000)
        os.chmod(path, 0o644)
        state = programs.metrics_directory(self)
        os.chown(state, 65534, 65534)
        result = self.compact_as_nobody('--state-dir=' + state,
                                        '--purge-quarantine=0s')
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn('may not remove it', result.stderr)
        self.assertTrue(os.path.exists(path))

    def test_nothing_is_forgotten_while_a_file_cannot_be_opened(self):
        os.chown(self.directory, 65534, 65534)
        name = self.emit('counter', 'c_total', '1')
        os.chmod(os.path.join(self.directory, name), 0o644)
        self.assertEqual(self.compact_as_nobody().returncode, 0)
        # It may hold any series.
        name = self.emit('counter', 'c_total', '1')
        os.chmod(os.path.join(self.directory, name), 0o600)
        result = self.compact_as_nobody('--forget=c_total')
        self.assertEqual(result.returncode, 1)
        self.assertIn('nothing was forgotten: some metric files cannot be '
                      'opened', result.stderr)
        self.assertIn('c_total 2', self.served())


class ManyTest(CompactTest):
    def test_progress_is_told_and_all_are_folded(self):
        # More than one write of the archive takes.
        count = 4200
        data = bytearray(collector_process.counter_file(1, 'c_total', 1))
        with open('/proc/sys/kernel/random/boot_id') as file:
            data[48:64] = bytes.fromhex(file.read().strip().replace('-', ''))
        data[28:32] = struct.pack('<I', 1)  # the life lock holds
        for number in range(count):
            data[32:48] = (number + 2**100).to_bytes(16, 'big')
            data[3964:3968] = struct.pack('<I', zlib.crc32(data[:3964]))
            collector_process.place(self.directory, bytes(data))
        result = self.compact('--progress', timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('folded %d files' % count, result.stdout)
        for line in result.stderr.splitlines():
            self.assertRegex(
                line, r'^tine-compact: (opened|removed) \d+ files$')
        self.assertEqual(metric_files(self.directory), [])
        self.assertEqual(self.served(), ['c_total %d' % count])


class InspectTest(CompactTest):
    def inspect(self, *arguments):
        return programs.run(INSPECT, *arguments)

    def test_audit_finds_all_exact_while_writers_live_and_die(self):
        for value in ('0.1', '0.2', '0.7'):
            self.emit('counter', 'c_total', value)
            self.emit('histogram', 'h', 'path=/', value, '--buckets=0.5,1')
            self.compact_well()
        self.emit('gauge', 'g', '4', '--mode=max')
        writer, name = self.start_writer('counter c_total 2',
                                         'gauge g 3 --mode=max')
        result = self.inspect('--dir=' + self.directory, '--audit')
        self.assertEqual((result.returncode, result.stderr), (0, ''),
                         result.stdout)
        self.assertTrue(
            result.stdout.endswith('audit: 3 series, all exact\n'))
        self.assertIn('c_total  counter\n', result.stdout)
        self.assertIn('  + 2  %s, live\n' % name, result.stdout)
        self.assertIn('  = 3  exact, since 20', result.stdout)
        one = self.inspect('--dir=' + self.directory, '--audit',
                           '--series=h{path="/"}')
        self.assertIn('audit: 1 series, all exact', one.stdout)
        self.assertNotIn('c_total', one.stdout)
        writer.kill()

    def test_audit_of_a_directory_that_a_collector_serves(self):
        collector = collector_process.CollectorProcess(
            self, '--dir=' + self.directory)
        for _ in range(5):
            self.emit('counter', 'c_total', '1')
            result = self.inspect('--dir=' + self.directory, '--audit')
            self.assertEqual(result.returncode, 0,
                             result.stdout + result.stderr)
        self.assertIn('\nc_total 5\n', collector.scrape())

    def test_archive_is_dumped_and_verified(self):
        self.emit('counter', 'c_total', 'a=b', '42')
        self.emit('gauge', 'g', '1.5', '--mode=mostrecent')
        self.compact_well()
        archive = self.directory + '/.collector/archive'
        text = self.inspect(archive).stdout
        for part in ('what dead writers have left', 'lineage ',
                     r'ARCHIVE 64 bytes: generation 1 of lineage [0-9a-f]{32}',
                     'FOLDED .* bytes: 2 files',
                     r'[0-9a-f]{32} inode \d+, born ', 'ORIGINS .* of 2 series',
                     r'cell \d+, folded .*, of writer [0-9a-f]{32} created ',
                     r'\n  c_total\{a="b"\} 42\n', r'\n  g 1.5 set '):
            self.assertRegex(text, part)
        self.assertNotIn('foreign', text)
        result = self.inspect('--verify', archive)
        self.assertEqual((result.returncode, result.stdout),
                         (0, archive + ': sound\n'))
        # A cell is not covered by its record's checksum, but by the archive's.
        with open(archive, 'r+b') as file:
            content = file.read()
            at = content.index(struct.pack('<Q', 42))
            file.seek(at)
            file.write(struct.pack('<Q', 43))
        result = self.inspect('--verify', archive)
        self.assertEqual(result.returncode, 1)
        self.assertIn('the checksum over all records', result.stdout)
        result = self.inspect('--dir=' + self.directory, '--audit')
        self.assertEqual(result.returncode, 1)
        self.assertIn('the checksum over all records', result.stderr)

    def test_audit_says_what_is_missing(self):
        self.assertEqual(self.inspect('--audit').returncode, 2)
        self.assertEqual(self.inspect('--dir=' + self.directory, '--audit',
                                      '--series={}').returncode, 2)
        result = self.inspect('--dir=' + self.directory, '--audit',
                              '--state-dir=/nowhere/at/all')
        self.assertEqual(result.returncode, 1)
        self.assertIn('/nowhere/at/all', result.stderr)


class HelpTest(unittest.TestCase):
    def test_help_is_a_manual(self):
        text = programs.run(COMPACT, '--help').stdout
        for part in ('Usage: tine-compact [FLAGS]', '--forget=SELECTOR',
                     '--purge-quarantine=AGE', '--assume-dead=UUID',
                     '--wait-seconds=SECONDS', 'Files:', 'Exit status:',
                     'Examples:'):
            self.assertIn(part, text)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        text = programs.run(INSPECT, '--help').stdout
        for part in ('--audit', 'Exit status:', '= 42  exact'):
            self.assertIn(part, text)


if __name__ == '__main__':
    outcome_lines.main()
