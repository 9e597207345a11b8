"""docs/SEMANTICS.md has each id once, and names tests that exist."""

import glob
import os
import re
import unittest

from tests.cases import case_steps
from tests.testing import outcome_lines

SEMANTICS = 'docs/SEMANTICS.md'
DOCUMENTS = (SEMANTICS, 'docs/MIGRATION.md', 'docs/WHY.md')
ANSWERS = re.compile('same|better|differs: .|not offered|does not apply: .')


def rows():
    """(id, what it says, answer, [tests]) of the tables of ids."""
    with open(SEMANTICS, encoding='utf-8') as file:
        for line in file:
            cells = [cell.strip() for cell in line.strip().split(' | ')]
            if re.match(r'\| (ruby|python)\.\w+$', cells[0]):
                assert len(cells) == 4, line
                yield (cells[0][2:], cells[1], cells[2],
                       re.findall('`([^`]+)`', cells[3]))


def rules():
    """[tests] of the table of rules."""
    with open(SEMANTICS, encoding='utf-8') as file:
        section = file.read().split('\n## ')[1]
    for line in section.splitlines()[4:]:
        if line.startswith('| ') and not line.startswith('| rule '):
            yield re.findall('`([^`]+)`', line.rsplit(' | ', 1)[1])


class SemanticsDocumentTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cases = {case.name: case
                     for path in glob.glob('tests/cases/*.cases')
                     for case in case_steps.parse(path)}

    def is_target(self, label):
        package, _, name = label[2:].partition(':')
        path = os.path.join(package, 'BUILD.bazel')
        self.assertTrue(os.path.exists(path), '%s is not among the data' % path)
        with open(path, encoding='utf-8') as file:
            return '"%s"' % name in file.read()

    def test_each_id_is_there_once(self):
        with open('tests/cases/ids.txt', encoding='utf-8') as file:
            ids = file.read().split()
        self.assertEqual(sorted(row[0] for row in rows()), sorted(ids))

    def test_each_row_says_and_answers_something(self):
        for row_id, says, answer, _ in rows():
            self.assertTrue(says, row_id)
            self.assertRegex(answer, ANSWERS, row_id)

    def test_what_is_the_same_or_differs_is_shown(self):
        for row_id, _, answer, tests in rows():
            if not answer.startswith(('not offered', 'does not apply')):
                self.assertTrue(tests, row_id)

    def test_tests_exist(self):
        shown_by = [tests for _, _, _, tests in rows()] + list(rules())
        self.assertGreater(len(list(rules())), 10)
        for tests in shown_by:
            for test in tests:
                if test.startswith('//'):
                    self.assertTrue(self.is_target(test), test)
                else:
                    self.assertIn(test, self.cases)

    def test_rows_and_cases_name_each_other(self):
        by_row = {row_id: {test for test in tests if not test.startswith('//')}
                  for row_id, _, _, tests in rows()}
        by_case = {row_id: set() for row_id in by_row}
        for case in self.cases.values():
            for row_id in case.ids:
                self.assertIn(row_id, by_case, case.name)
                by_case[row_id].add(case.name)
        self.assertEqual(by_row, by_case)

    def test_targets_that_the_documents_name_exist(self):
        for path in DOCUMENTS:
            with open(path, encoding='utf-8') as file:
                for label in re.findall(r'`(//tests/[\w/]+:\w+)`', file.read()):
                    self.assertTrue(self.is_target(label), label)

    def test_cases_have_one_name_each(self):
        names = [case.name for path in glob.glob('tests/cases/*.cases')
                 for case in case_steps.parse(path)]
        self.assertEqual(len(names), len(set(names)))


if __name__ == '__main__':
    outcome_lines.main()
