// SPDX-License-Identifier: Apache-2.0
#include "c_api/status.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <new>
#include <stdexcept>
#include <string_view>

#include "chainrule/error.hpp"

namespace chainrule::c_api {
namespace {

constexpr std::size_t longest_error = 1023;
// An array, since a string could not keep the text of a std::bad_alloc.
thread_local char last_error[longest_error + 1] = "";

void keep(std::string_view text) {
  std::size_t size = std::min(text.size(), longest_error);
  if (size < text.size()) {
    // A cut must not fall inside of a character.
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80) --size;
  }
  std::copy_n(text.data(), size, last_error);
  last_error[size] = '\0';
}

}  // namespace

chainrule_status set_last_error() noexcept {
  try {
    throw;
  } catch (const DivergenceError& error) {
    keep(error.what());
    return CHAINRULE_ERROR_DIVERGENCE;
  } catch (const StateError& error) {
    keep(error.what());
    return CHAINRULE_ERROR_STATE;
  } catch (const ModelFileError& error) {
    keep(error.what());
    return CHAINRULE_ERROR_MODEL_FILE;
  } catch (const FileError& error) {
    keep(error.what());
    return CHAINRULE_ERROR_FILE;
  } catch (const Error& error) {
    keep(error.what());
    return CHAINRULE_ERROR_ARGUMENT;
  } catch (const std::bad_alloc&) {
    keep("not enough memory");
    return CHAINRULE_ERROR_MEMORY;
  } catch (const std::length_error&) {
    // What containers throw for sizes that no allocator would be asked for.
    keep("not enough memory: a size is out of range");
    return CHAINRULE_ERROR_MEMORY;
  } catch (const CallbackError& error) {
    keep(error.what());
    return CHAINRULE_ERROR_CALLBACK;
  } catch (const std::exception& error) {
    keep(error.what());
    return CHAINRULE_ERROR_INTERNAL;
  } catch (...) {
    keep("an unknown exception");
    return CHAINRULE_ERROR_INTERNAL;
  }
}

}  // namespace chainrule::c_api

const char* chainrule_last_error() { return chainrule::c_api::last_error; }

const char* chainrule_status_name(chainrule_status status) {
  switch (status) {
    case CHAINRULE_OK:
      return "CHAINRULE_OK";
    case CHAINRULE_ERROR_ARGUMENT:
      return "CHAINRULE_ERROR_ARGUMENT";
    case CHAINRULE_ERROR_STATE:
      return "CHAINRULE_ERROR_STATE";
    case CHAINRULE_ERROR_DIVERGENCE:
      return "CHAINRULE_ERROR_DIVERGENCE";
    case CHAINRULE_ERROR_MODEL_FILE:
      return "CHAINRULE_ERROR_MODEL_FILE";
    case CHAINRULE_ERROR_FILE:
      return "CHAINRULE_ERROR_FILE";
    case CHAINRULE_ERROR_MEMORY:
      return "CHAINRULE_ERROR_MEMORY";
    case CHAINRULE_ERROR_INTERNAL:
      return "CHAINRULE_ERROR_INTERNAL";
    case CHAINRULE_ERROR_CALLBACK:
      return "CHAINRULE_ERROR_CALLBACK";
    default:
      return "unknown status";
  }
}
