#ifndef TINE_TOOLS_PRINTABLE_H_
#define TINE_TOOLS_PRINTABLE_H_

#include <string>
#include <string_view>

namespace tine::tools {

// Somebody else's text, made safe for a terminal and for one line: control
// characters (C0, DEL, C1), characters that turn the direction of writing,
// backslashes, double quotes and bytes that are not UTF-8 come as escapes (\n,
// \", \\, \x1b, \u202e). Everything else stays as it is.
std::string Printable(std::string_view text);

}  // namespace tine::tools

#endif  // TINE_TOOLS_PRINTABLE_H_
