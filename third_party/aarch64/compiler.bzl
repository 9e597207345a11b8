"""Is there a compiler for aarch64? Tests that need one are skipped without."""

def _aarch64_compiler_impl(ctx):
    found = ctx.attr.is_set_up and ctx.path("/usr/bin/aarch64-linux-gnu-g++").exists
    ctx.file("WORKSPACE", "workspace(name = %r)\n" % ctx.attr.name)
    ctx.file("BUILD.bazel", "")
    ctx.file("compiler.bzl", "HAS_AARCH64_COMPILER = %r\n" % found)

aarch64_compiler = repository_rule(
    implementation = _aarch64_compiler_impl,
    attrs = {
        "is_set_up": attr.bool(
            default = True,
            doc = "False for Bazel 7 and later, which choose compilers otherwise.",
        ),
    },
    local = True,
)
