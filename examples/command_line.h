#pragma once
/// The command line of a program: options, flags and arguments, each bound to a variable. CLI11 parses it; its headers are
/// included by command_line.cpp alone, since in each program they would take longer to compile than the program.

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace minception {

/// Exit codes besides 0. With the last one the work was done, but standard output did not take all that was printed.
inline constexpr int kFailed = 1, kWrongCommandLine = 2, kOutputLost = 3;

/// The text with control characters as \\xNN: a file may have a name that would colour the terminal or begin a line.
std::string printable(std::string_view text);

class CommandLine {
 public:
  /// What else is known about an option. The functions can be chained.
  class Option {
   public:
    explicit Option(CLI::Option& option) : option_(&option) {}

    template <std::integral T>
    Option range(T least, T most) const {
      return integers(static_cast<std::int64_t>(least), static_cast<std::int64_t>(most));
    }
    Option range(double least, double most) const;
    Option one_of(const std::vector<std::string>& values) const;
    /// Values separated by commas; an option that is given again adds to them.
    Option list() const;
    Option required() const;
    Option excludes(const Option& other) const;
    /// What --help shows in place of the variable's value.
    Option default_text(const std::string& text) const;
    /// What --help shows in place of the variable's type.
    Option value_name(const std::string& text) const;
    /// The heading of --help that it stands under.
    Option group(const std::string& heading) const;

   private:
    Option integers(std::int64_t least, std::int64_t most) const;

    CLI::Option* option_;
  };

  CommandLine(const std::string& about, const std::string& program);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// An option (--name) or an argument (NAME) of one value; `list` makes it take several. T: std::string, int,
  /// std::int64_t, double, std::optional<std::int64_t>, or a vector of one of the first four.
  template <class T>
  Option add_option(const std::string& name, T& value, const std::string& help);
  Option add_flag(const std::string& name, bool& value, const std::string& help);
  /// One or more arguments.
  Option add_arguments(const std::string& name, std::vector<std::string>& values, const std::string& help);
  /// Text at the end of --help.
  void footer(const std::string& text);
  /// An option whose file holds further options: JSON by their names without "--", flat or as "options" in the config.json
  /// of a run. What the command line says itself wins.
  Option add_config_option(const std::string& name, const std::string& help);

  /// The option that was added as `name`.
  Option option(const std::string& name) const;
  /// How often the option was given.
  std::size_t count(const std::string& name) const;
  std::string help() const;

  /// Parses the command line, then calls `work`. Any failure becomes one line on stderr, "name: what", and an exit code.
  /// An option that takes one text and is given twice is a wrong command line; of numbers the last one counts. `results`,
  /// filled in by `work`, says in the line about lost output where the results are.
  int run(int argc, char** argv, const std::function<void()>& work, const std::string& results = {});

 private:
  std::vector<std::string> with_config(std::vector<std::string> words) const;

  std::unique_ptr<CLI::App> app_;
  std::string config_option_, config_file_;
};

}  // namespace minception
