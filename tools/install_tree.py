"""Puts the built programs, libraries and headers where they belong.

    install_tree PREFIX [DESTDIR]

What tools/install runs when it has built them; they lie beside this file in the
tree that Bazel makes for it.
"""

import os
import re
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAMS = ('collector/tine-collector', 'tools/tine-compact', 'tools/tine-emit',
            'tools/tine-inspect')
SONAME = 'libtine.so.0'

PKG_CONFIG = '''\
prefix={prefix}
libdir=${{prefix}}/lib
includedir=${{prefix}}/include

Name: {name}
Description: Exact Prometheus metrics for programs that run as many processes{what}
Version: {version}
Cflags: {cflags}
Libs: {libs}
'''
STATIC_LIBS = '${libdir}/libtine.a -lstdc++ -lm -pthread'
# name: (what is added to the description, compiler flags, linker flags)
MODULES = {
    'tine': (' (C)', '-I${includedir}', '-L${libdir} -ltine'),
    'tine-static': (' (C, linked in)', '-I${includedir}', STATIC_LIBS),
    'tine-cpp': (' (C++17, linked in)', '-I${includedir}/tine',
                 STATIC_LIBS + ' -Wl,-z,nodelete'),
}


def version():
    with open(os.path.join(ROOT, 'version.h')) as file:
        return re.search(r'kVersion\[\] = "(.*)"', file.read()).group(1)


class Tree:
    """What is below DESTDIR/PREFIX."""

    def __init__(self, prefix, destdir):
        self._prefix = prefix
        self._root = destdir + prefix

    def _place(self, name, write, mode):
        """A file appears whole, and takes an older one's place in one step."""
        path = os.path.join(self._root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temp = path + '.new'
        if os.path.lexists(temp):
            os.unlink(temp)
        try:
            write(temp)
            if mode:
                os.chmod(temp, mode)
            os.rename(temp, path)
        except OSError:
            if os.path.lexists(temp):
                os.unlink(temp)
            raise
        print(path)

    def copy(self, source, name, mode=0o644):
        def write(temp):
            shutil.copyfile(os.path.join(ROOT, source), temp)
        self._place(name, write, mode)

    def link(self, target, name):
        self._place(name, lambda temp: os.symlink(target, temp), None)

    def pkg_config(self, name):
        what, cflags, libs = MODULES[name]
        text = PKG_CONFIG.format(name=name, prefix=self._prefix, what=what,
                                 version=version(), cflags=cflags, libs=libs)

        def write(temp):
            with open(temp, 'w') as file:
                file.write(text)
        self._place('lib/pkgconfig/%s.pc' % name, write, 0o644)


def install(tree):
    for program in PROGRAMS:
        tree.copy(program, 'bin/' + os.path.basename(program), 0o755)
    library = 'libtine.so.' + version()
    tree.copy('writer/c/libtine.so', 'lib/' + library, 0o755)
    tree.link(library, 'lib/' + SONAME)
    tree.link(SONAME, 'lib/libtine.so')
    tree.copy('writer/c/libtine.a', 'lib/libtine.a')
    tree.copy('writer/c/tine.h', 'include/tine.h')
    # Of C++ headers, only the public ones are beside this file.
    for folder in ('common', 'writer'):
        for name in sorted(os.listdir(os.path.join(ROOT, folder))):
            if name.endswith('.h'):
                tree.copy(os.path.join(folder, name),
                          os.path.join('include/tine', folder, name))
    for name in MODULES:
        tree.pkg_config(name)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    prefix = os.path.normpath(sys.argv[1])
    destdir = os.path.normpath(sys.argv[2]) if sys.argv[2:] and sys.argv[2] else ''
    if not prefix.startswith('/') or (destdir and not destdir.startswith('/')):
        sys.exit('install_tree: prefix and destdir must begin with a slash')
    os.umask(0o022)
    try:
        install(Tree(prefix, destdir))
    except OSError as error:
        sys.exit('install_tree: %s: %s. Not all is installed: put that right '
                 'and run it again.' % (error.filename, error.strerror))


if __name__ == '__main__':
    main()
