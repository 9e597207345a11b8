"""Targets as --config=aarch64 builds them, in a build for this machine."""

def _to_aarch64(_settings, _attr):
    return {
        "//command_line_option:cpu": "aarch64",
        "//command_line_option:crosstool_top": "//third_party/aarch64:suite",
        # Not the sanitizers of this machine's build.
        "//command_line_option:copt": ["-g0"],
        "//command_line_option:linkopt": [],
        "//command_line_option:cc_output_directory_tag": "",
    }

_aarch64_transition = transition(
    implementation = _to_aarch64,
    inputs = [],
    outputs = [
        "//command_line_option:cc_output_directory_tag",
        "//command_line_option:copt",
        "//command_line_option:cpu",
        "//command_line_option:crosstool_top",
        "//command_line_option:linkopt",
    ],
)

def _built_for_aarch64_impl(ctx):
    files = depset(transitive = [target[DefaultInfo].files for target in ctx.attr.targets])
    runfiles = ctx.runfiles(transitive_files = files)
    for target in ctx.attr.targets:
        runfiles = runfiles.merge(target[DefaultInfo].default_runfiles)
    return [DefaultInfo(files = files, runfiles = runfiles)]

built_for_aarch64 = rule(
    implementation = _built_for_aarch64_impl,
    attrs = {
        "targets": attr.label_list(cfg = _aarch64_transition),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)
