"""An installed Tine is all that a Makefile project needs."""

import os
import shutil
import stat
import subprocess
import tempfile
import unittest

from tests.testing import outcome_lines, programs

INSTALL = programs.path('tools/install')
INSTALL_TREE = programs.path('tools/install_tree')
PROJECT = programs.path('tests/install/project')
TIMEOUT_S = 300


class InstallTest(unittest.TestCase):
    def setUp(self):
        if programs.is_instrumented(programs.path('writer/c/libtine.so')):
            self.skipTest('a project outside has no sanitizer')
        self.root = tempfile.mkdtemp(prefix='tine-install-')
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.prefix = os.path.join(self.root, 'prefix')

    def install(self, *arguments):
        return programs.run(INSTALL_TREE, *arguments, timeout=TIMEOUT_S)

    def assert_installed(self, *arguments):
        result = self.install(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.splitlines()

    def environment(self, **more):
        return {'PATH': '/usr/local/bin:/usr/bin:/bin', 'LC_ALL': 'C', **more,
                'PKG_CONFIG_PATH': self.prefix + '/lib/pkgconfig'}

    def test_project_outside_of_the_tree_builds_and_counts(self):
        self.assert_installed(self.prefix)
        project = os.path.join(self.root, 'project')
        shutil.copytree(PROJECT, project)
        result = programs.run('make', '-C', project, env=self.environment(),
                              timeout=TIMEOUT_S)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        directory = programs.metrics_directory(self)
        environment = self.environment(TINE_DIR=directory)
        for name in ('static', 'cpp'):
            result = programs.run(os.path.join(project, name), env=environment)
            self.assertEqual(result.returncode, 0, result.stderr)
        shared = os.path.join(project, 'shared')
        self.assertEqual(programs.run(shared, env=environment).returncode, 127)
        result = programs.run(shared, env={
            **environment, 'LD_LIBRARY_PATH': self.prefix + '/lib'})
        self.assertEqual(result.returncode, 0, result.stderr)
        result = programs.run(self.prefix + '/bin/tine-emit', 'counter',
                              'built_total', '--help-text=By another project.',
                              '100', env=environment)
        self.assertEqual(result.returncode, 0, result.stderr)
        served = programs.run(self.prefix + '/bin/tine-collector', '--once',
                              '--dir=' + directory)
        self.assertIn('# HELP built_total By another project.\n'
                      '# TYPE built_total counter\nbuilt_total 142\n',
                      served.stdout)

    def test_installs_what_it_prints_and_nothing_else(self):
        printed = self.assert_installed(self.prefix)
        found = [os.path.join(folder, name)
                 for folder, _, names in os.walk(self.prefix) for name in names]
        self.assertEqual(sorted(printed), sorted(found))
        names = {os.path.relpath(path, self.prefix) for path in found}
        self.assertLessEqual({
            'bin/tine-collector', 'bin/tine-compact', 'bin/tine-emit',
            'bin/tine-inspect', 'include/tine.h', 'include/tine/writer/tine.h',
            'lib/libtine.a', 'lib/libtine.so', 'lib/libtine.so.0',
            'lib/pkgconfig/tine.pc', 'lib/pkgconfig/tine-static.pc',
            'lib/pkgconfig/tine-cpp.pc'}, names)
        self.assertFalse(any('process_state' in name for name in names))

    def test_modes_let_everybody_read(self):
        for path in self.assert_installed(self.prefix):
            mode = stat.S_IMODE(os.stat(path).st_mode)
            is_run = '/bin/' in path or '.so' in path
            self.assertEqual(mode, 0o755 if is_run else 0o644, path)

    def test_installing_again_replaces_what_is_running(self):
        self.assert_installed(self.prefix)
        directory = programs.metrics_directory(self)
        writer = programs.start(
            self, self.prefix + '/bin/tine-emit', '--dir=' + directory,
            '--stdin', '--ack', stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        writer.stdin.write('counter c_total 1\n')
        writer.stdin.flush()
        self.assertEqual(writer.stdout.readline(), 'ok\n')
        self.assert_installed(self.prefix)
        writer.stdin.write('counter c_total 1\n')
        writer.stdin.close()
        self.assertEqual(writer.wait(programs.TIMEOUT_S), 0)

    def test_destdir_goes_before_every_path_and_into_no_file(self):
        destdir = os.path.join(self.root, 'package')
        for path in self.assert_installed('/usr', destdir):
            self.assertTrue(path.startswith(destdir + '/usr/'), path)
        with open(destdir + '/usr/lib/pkgconfig/tine.pc') as file:
            text = file.read()
        self.assertIn('prefix=/usr\n', text)
        self.assertNotIn(destdir, text)

    def test_prefix_that_cannot_be_made_is_named(self):
        blocked = os.path.join(self.root, 'file')
        with open(blocked, 'w'):
            pass
        result = self.install(blocked + '/prefix')
        self.assertEqual(result.returncode, 1)
        self.assertIn(blocked + '/prefix: Not a directory', result.stderr)

    def test_arguments_are_checked_before_anything_is_built(self):
        for arguments, why in (
                ((), 'where to?'), (('--prefix=usr',), '--prefix=usr must'),
                (('--prefix=/usr', '--destdir=x'), '--destdir=x must'),
                (('--prefix=/usr', '--force'), 'unknown argument: --force'),
                (('/usr',), 'unknown argument: /usr')):
            with self.subTest(arguments):
                result = programs.run(INSTALL, *arguments)
                self.assertEqual(result.returncode, 2)
                self.assertIn(why, result.stderr)
        self.assertIn('--destdir', programs.run(INSTALL, '--help').stdout)


if __name__ == '__main__':
    outcome_lines.main()
