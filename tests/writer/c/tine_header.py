"""writer/c/tine.h and libtine.so, as tests read them."""

import re
import subprocess

from tests.testing import programs

HEADER = programs.path('writer/c/tine.h')
LIBRARY = programs.path('writer/c/libtine.so')
ARCHIVE = programs.path('writer/c/libtine.a')

_FUNCTION = re.compile(r'^[a-z][\w* ]*?[ *](tine_\w+)\(([^;{]*)\);$', re.MULTILINE)
_STRUCT = re.compile(r'^typedef struct (\w+) \{\n(.*?)^\} \1;$',
                     re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r'^  [\w* ]*?[ *](\w+)(?:\[\d+\])?;$', re.MULTILINE)
_CONSTANT = re.compile(r'\b(TINE_[A-Z_]+) = ')


def text():
    """The header without its comments."""
    with open(HEADER) as file:
        return re.sub(r' *(/\*.*?\*/)', '', file.read(), flags=re.DOTALL)


def prototypes():
    """Maps each declared function to its declaration, in one line."""
    return {match.group(1): ' '.join(match.group(0).split())
            for match in _FUNCTION.finditer(text())}


def structs():
    """Maps each struct to the names of its fields, in order."""
    return {match.group(1): _FIELD.findall(match.group(2))
            for match in _STRUCT.finditer(text())}


def constants():
    """The names of all enumerators, in order."""
    return _CONSTANT.findall(text())


def tool_output(*command):
    """What a tool of binutils or a compiler prints."""
    result = programs.run(*command, timeout=120,
                          env={'LC_ALL': 'C', 'PATH': '/usr/bin:/bin'})
    if result.returncode != 0:
        raise subprocess.CalledProcessError(result.returncode, command,
                                            result.stdout, result.stderr)
    return result.stdout


def exported_functions():
    """What libtine.so shows, version names left out."""
    lines = tool_output('nm', '-D', '--defined-only', LIBRARY).splitlines()
    # Small letters are local symbols, A is the version itself.
    symbols = [line.split()[-1].split('@')[0] for line in lines
               if line.split()[-2] in 'BDRTVWi']
    return sorted(symbols)
