# Run by cnix_check_config: writes OUTPUT, which checks FILE, shown as SHOWN, against the composition PLUGIN, installed as TYPE.
# A link may lead to a device by now, which has no size and no end.
file(READ "${FILE}" bytes LIMIT 4194305 HEX)
string(LENGTH "${bytes}" digits)
if(digits GREATER 8388608) # twice config::max_size
  message(FATAL_ERROR "cnix: ${SHOWN}: a network configuration has at most 4194304 bytes, this file has more")
endif()
string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}") # any byte, whatever it would mean to the compiler
string(REPLACE "\\x0a" "\\x0a\"\n    \"" bytes "${bytes}") # a line for each of the file's
string(REPLACE "\\" "\\\\" shown "${SHOWN}")
string(REPLACE "\"" "\\\"" shown "${shown}")
file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT [[
namespace cnix_configuration_@INDEX@ {
constexpr char text[] =
    "@bytes@";
constexpr auto verdicts = cnix::config::judge_each(
    cnix::faults_of<::@PLUGIN@>({text, sizeof text - 1}, "@TYPE@", cnix::form_of("@shown@")), "@shown@");
static_assert(cnix::config::accepted<verdicts>);
} // namespace cnix_configuration_@INDEX@
]])
