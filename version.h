// The version of the project, in one place.

#ifndef TINE_VERSION_H_
#define TINE_VERSION_H_

namespace tine {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace tine

#endif  // TINE_VERSION_H_
