"""The repositories that Tine depends on, each with two providers.

TINE_SYSTEM_LIBS chooses: `all` (the default) takes every library from the
operating system; a comma-separated list of repository names takes those from
the system and downloads the others; `none` downloads all that can be. Example:

    bazel build --repo_env=TINE_SYSTEM_LIBS=none //...

Only the system provider is exercised, on Debian 12. The downloads name the same
upstream versions that Debian 12 ships.

A system repository holds BUILD files with upstream's labels and nothing but
linker options in them: the compiler finds headers below /usr/include by itself.
"""

load("//third_party/aarch64:compiler.bzl", "aarch64_compiler")

def _is_from_system(ctx):
    names = ctx.os.environ.get("TINE_SYSTEM_LIBS", "all").split(",")
    return "all" in names or ctx.attr.name in names

def _dependency_impl(ctx):
    if _is_from_system(ctx):
        for path, overlay in ctx.attr.system_files.items():
            ctx.symlink(Label(overlay), path)
        for path, source in ctx.attr.system_sources.items():
            ctx.symlink(source, path)
        ctx.file("WORKSPACE", "workspace(name = %r)\n" % ctx.attr.name)
        return
    if not ctx.attr.url:
        fail(("@%s is only to be had from the system: add it to " +
              "TINE_SYSTEM_LIBS.") % ctx.attr.name)
    ctx.download_and_extract(
        url = ctx.attr.url,
        sha256 = ctx.attr.sha256,
        stripPrefix = ctx.attr.strip_prefix,
    )
    if ctx.attr.build_file_content:
        ctx.file("BUILD.bazel", ctx.attr.build_file_content)

_dependency = repository_rule(
    implementation = _dependency_impl,
    environ = ["TINE_SYSTEM_LIBS"],
    attrs = {
        "build_file_content": attr.string(
            doc = "For a download whose upstream has no BUILD file.",
        ),
        "sha256": attr.string(),
        "strip_prefix": attr.string(),
        "system_files": attr.string_dict(
            doc = "Path in the repository to label of the overlay.",
        ),
        "system_sources": attr.string_dict(
            doc = "Path in the repository to a directory of the system.",
        ),
        "url": attr.string(doc = "Empty: the system is the only provider."),
    },
)

_HEADER_ONLY = """
load("@rules_cc//cc:defs.bzl", "cc_library")

cc_library(
    name = "{name}",
    hdrs = glob(["include/**"]),
    includes = ["include"],
    visibility = ["//visibility:public"],
)
"""

_ABSL_PACKAGES = [
    "algorithm",
    "base",
    "cleanup",
    "container",
    "functional",
    "hash",
    "memory",
    "meta",
    "numeric",
    "status",
    "strings",
    "synchronization",
    "time",
    "types",
]

def _absl_files():
    files = {"absl/BUILD.bazel": "//third_party:system/absl/absl.BUILD"}
    for package in _ABSL_PACKAGES:
        files["absl/%s/BUILD.bazel" % package] = (
            "//third_party:system/absl/%s.BUILD" % package
        )
    return files

def tine_repositories():
    """Declares every third-party repository."""
    aarch64_compiler(name = "aarch64_compiler")
    _dependency(
        name = "com_google_absl",
        sha256 = "91ac87d30cc6d79f9ab974c51874a704de9c2647c40f6932597329a282217ba8",
        strip_prefix = "abseil-cpp-20220623.1",
        system_files = _absl_files(),
        url = "https://github.com/abseil/abseil-cpp/archive/refs/tags/20220623.1.tar.gz",
    )
    _dependency(
        name = "com_googlesource_code_re2",
        sha256 = "f89c61410a072e5cbcf8c27e3a778da7d6fd2f2b5b1445cd4f4508bee946ab0f",
        strip_prefix = "re2-2022-06-01",
        system_files = {"BUILD.bazel": "//third_party:system/re2.BUILD"},
        url = "https://github.com/google/re2/archive/2022-06-01.tar.gz",
    )
    _dependency(
        name = "com_google_googletest",
        sha256 = "81964fe578e9bd7c94dfdb09c8e4d6e6759e19967e397dbea48d1c10e45d0df2",
        strip_prefix = "googletest-release-1.12.1",
        system_files = {"BUILD.bazel": "//third_party:system/googletest.BUILD"},
        system_sources = {"src": "/usr/src/googletest"},
        url = "https://github.com/google/googletest/archive/refs/tags/release-1.12.1.tar.gz",
    )
    _dependency(
        name = "com_github_google_benchmark",
        sha256 = "6430e4092653380d9dc4ccb45a1e2dc9259d581f4866dc0759713126056bc1d7",
        strip_prefix = "benchmark-1.7.1",
        system_files = {"BUILD.bazel": "//third_party:system/benchmark.BUILD"},
        url = "https://github.com/google/benchmark/archive/refs/tags/v1.7.1.tar.gz",
    )
    _dependency(
        name = "cli11",
        build_file_content = _HEADER_ONLY.format(name = "cli11"),
        sha256 = "26291377e892ba0e5b4972cdfd4a2ab3bf53af8dac1f4ea8fe0d1376b625c8cb",
        strip_prefix = "CLI11-2.1.2",
        system_files = {"BUILD.bazel": "//third_party:system/cli11.BUILD"},
        url = "https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.1.2.tar.gz",
    )
    _dependency(
        name = "spdlog",
        build_file_content = _HEADER_ONLY.format(name = "spdlog"),
        sha256 = "697f91700237dbae2326b90469be32b876b2b44888302afbc7aceb68bcfe8224",
        strip_prefix = "spdlog-1.10.0",
        system_files = {"BUILD.bazel": "//third_party:system/spdlog.BUILD"},
        url = "https://github.com/gabime/spdlog/archive/refs/tags/v1.10.0.tar.gz",
    )
    _dependency(
        name = "com_github_jupp0r_prometheus_cpp",
        system_files = {
            "core/BUILD.bazel": "//third_party:system/prometheus_cpp_core.BUILD",
            "pull/BUILD.bazel": "//third_party:system/prometheus_cpp_pull.BUILD",
        },
    )
    _dependency(
        name = "libmicrohttpd",
        system_files = {"BUILD.bazel": "//third_party:system/libmicrohttpd.BUILD"},
    )
