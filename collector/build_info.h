// How this binary was made.

#ifndef TINE_COLLECTOR_BUILD_INFO_H_
#define TINE_COLLECTOR_BUILD_INFO_H_

namespace tine::collector {

#if defined(__clang__)
inline constexpr char kCompiler[] = __VERSION__;  // says "Clang" itself
#else
inline constexpr char kCompiler[] = "gcc " __VERSION__;
#endif

#if defined(__x86_64__)
inline constexpr char kPlatform[] = "linux/amd64";
#elif defined(__aarch64__)
inline constexpr char kPlatform[] = "linux/arm64";
#else
inline constexpr char kPlatform[] = "linux";
#endif

}  // namespace tine::collector

#endif  // TINE_COLLECTOR_BUILD_INFO_H_
