// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "chainrule/augmentation.hpp"
#include "chainrule/callback.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/data.hpp"
#include "chainrule/epoch.hpp"
#include "chainrule/error.hpp"
#include "chainrule/export.h"
#include "chainrule/graph.hpp"
#include "chainrule/layer.hpp"
#include "chainrule/loss.hpp"
#include "chainrule/optimizer.hpp"
#include "chainrule/owned.hpp"
#include "chainrule/processor.hpp"

namespace chainrule {

/// One stage of a plan: what it does, and what a training step costs in it.
struct StageInfo {
  std::string name;
  std::string threads_own;  // "rows", "columns" or "fused" (into the gathering of the input)
  double operations;        // of its products, two a multiply-add
  double bytes;             // read and written
};

/// How the first dense layer gets its input, and why.
struct InputPath {
  enum class Reason { cheaper, asked, compressed, categories };

  bool sparse;  // as lists of the entries that are not zero
  Reason reason;
  /// Share of them in a sample of the rows; of compressed rows in all; of encoded categories as the
  /// encoding says; NaN where it was not counted.
  double density;
  /// What a step's products are estimated to cost by lists and by a table, as operations of
  /// products of tables.
  double sparse_operations;
  double dense_operations;
};

struct PlanInfo {
  int threads;
  std::vector<StageInfo> stages;
  std::optional<InputPath> input;  // empty where no rows were seen, or no layer leaves out zeros
};

/// Rows that are not in memory at once: calls its argument with each piece of them in order, and
/// does so again whenever it is called.
using RowPieces = Callback<void(const Callback<void(const Inputs&)>& each)>;

/// What the parameters of a new network hold: what their initializers give, or zeros for a caller
/// that sets them all.
enum class InitialValues { from_initializers, zeros };

/// What an array of a network is, for listing.
struct ParameterInfo {
  std::string name;  // "<node>.<array>"
  std::int64_t layer;
  Shape shape;
  bool trainable;
};

template <class T>
class FullBatchTrainer;
template <class T>
class Predictor;
class Hessian;

/// A network of layers with its parameters, and the state of its training. T is float or double.
///
/// Any number of threads may call const members at once, such as predict, evaluate and copying. A
/// member that changes the network needs it alone: it waits for the const ones that are under way,
/// and until it has ended all others, and all calls from within its `poll`, get a StateError. What
/// never changes (layers, inputs, outputs, seed, parameters) can be asked at any time. Different
/// networks are independent. In a forked child a network that another thread was training is as it
/// was when that epoch began, but for a step that is a call of its own: of that any part may have
/// been made. The bits of every result depend on the
/// description, the seed and the data alone, never on threads, instruction set or, for predictions,
/// on the other rows of the batch.
template <class T>
class CHAINRULE_API Network {
 public:
  /// From layers such as {Rescaling(1 / 255.0), Dense(64, "relu"), Dense(10)}; throws Error when
  /// they do not fit each other or there are none.
  Network(std::vector<AnyLayer> layers, std::int64_t inputs, std::uint64_t seed = 0,
          InitialValues values = InitialValues::from_initializers);
  explicit Network(Graph graph, std::uint64_t seed = 0,
                   InitialValues values = InitialValues::from_initializers);
  Network(const Network& other);
  Network& operator=(const Network&) = delete;
  /// A network that was moved from may only be assigned to or destroyed.
  Network(Network&& other) noexcept;
  Network& operator=(Network&& other) noexcept;
  ~Network();

  const Graph& graph() const;
  /// The layers of the graph's nodes, in their order.
  const std::vector<AnyLayer>& layers() const;
  /// Columns of x: of all inputs, the values of a row of each one behind the other.
  std::int64_t inputs() const;
  /// Columns of what it gives: of all outputs.
  std::int64_t outputs() const;
  std::uint64_t seed() const;

  /// What the columns of an input are called, which is counted from 0 in the graph's order: for
  /// callers and model files; no number depends on it. Empty where they have no names. Throws Error
  /// unless there is such an input, and as many different names as a row of it has values or none,
  /// each UTF-8 without a 0 byte.
  const std::vector<std::string>& feature_names(std::int64_t input = 0) const;
  void set_feature_names(std::vector<std::string> names, std::int64_t input = 0);
  /// How many classes an output has at each of its positions: 2 for one column, else as many as
  /// columns.
  std::int64_t classes(std::int64_t output = 0) const;
  /// What these are called, as above.
  const std::vector<std::string>& class_names(std::int64_t output = 0) const;
  void set_class_names(std::vector<std::string> names, std::int64_t output = 0);
  /// What the categories of each column of x are called, in the order of their codes, as above;
  /// empty for a column that has no names. One that has some has as many as all layers know that
  /// read its categories.
  const std::vector<std::vector<std::string>>& category_names() const;
  void set_category_names(std::vector<std::vector<std::string>> names);
  /// The code of a category by its name; -1, which is that of no known one, for another name.
  /// Throws Error unless the column has names.
  std::int64_t category_code(std::int64_t column, std::string_view name) const;

  /// Graph::set_trainable for this network, for transfer learning: from the next step on training
  /// changes the parameters of that layer, or leaves them and what the optimizer remembers of them
  /// as they are. A BatchNormalization that is not trained works with its running statistics.
  void set_trainable(const std::string& node, bool trainable);

  const std::vector<ParameterInfo>& parameters() const;
  /// Row-major copies in and out; throws Error for an unknown name.
  void get_parameter(const std::string& name, T* values) const;
  void set_parameter(const std::string& name, const T* values);

  /// The mean of a first Normalization layer with more digits than the network's precision has,
  /// where numbers as large beside their spread as times in seconds need them; else empty. Setting
  /// the parameter to another mean forgets it. Throws Error for one that does not round to it.
  std::vector<double> exact_mean() const;
  void set_exact_mean(std::vector<double> mean);

  /// The optimizer's memory: its kind (empty before the first step), arrays per parameter, and
  /// counters.
  std::string optimizer_kind() const;
  std::vector<std::string> optimizer_slots() const;
  void get_slot(const std::string& slot, const std::string& parameter, T* values) const;
  /// Throws Error for NaN, and for squares below zero.
  void set_slot(const std::string& slot, const std::string& parameter, const T* values);
  std::int64_t steps() const;   // optimizer steps of the present state
  std::int64_t epochs() const;  // epochs begun and finished, over all calls
  /// Starts the optimizer's memory afresh as `optimizer` would, with these counters (for resuming a
  /// saved run).
  void restore_training(const Optimizer& optimizer, std::int64_t steps, std::int64_t total_steps,
                        std::int64_t epochs);
  void reset_optimizer();
  std::int64_t total_steps() const;  // over all optimizers: what dropout's random numbers depend on

  /// Trains for one epoch or a part of it. On divergence throws DivergenceError with everything as
  /// it was when the epoch began; or, where the outputs for x are then not finite and training led
  /// there from weights before, as the epoch (or batch by itself) before began, its counters too.
  /// What a batch by itself may do is bounded before its update, so that nothing is copied for it
  /// unless its numbers are huge.
  /// What is not finite in x or y may cause one, and what is no target of the loss a wrong result:
  /// see check_finite and check_targets, whose passes over the data this spares callers who train
  /// on the same data again.
  EpochResult run_epoch(const Inputs& x, const Targets& y, const Losses& losses,
                        const Optimizer& optimizer, const EpochOptions& options);

  /// Puts parameters, optimizer state and counters back to what they were when the epoch began that
  /// was trained last, in part or as a whole: for a caller who finds afterwards that it went wrong.
  /// Throws StateError where none is kept.
  void restore_epoch();

  /// The first layer whose outputs for these rows are not all finite, in inference mode; -1 if all
  /// are. At most a few rows, since they are worked on at a time.
  std::int64_t first_bad_layer(const Inputs& x, std::span<const std::int64_t> rows = {}) const;

  /// Throws Error when an option of the loss is out of its range, the network has no such outputs
  /// as it needs, or the last activation is none that it can train through: cross_entropy,
  /// binary_cross_entropy and poisson take any numbers or their own link, hinge numbers of both
  /// signs. Everything below that takes a loss checks this; Loss::from_logits turns it off.
  void check_loss(const Losses& losses) const;

  /// Throws Error when rows and targets do not fit each other, the network or the loss.
  void check(const Inputs& x, const Targets& y, const Losses& losses) const;

  /// What reads a network. `poll` is called on the calling thread about every 50 ms of a call that
  /// takes longer; an exception from it ends the call and is passed on.

  /// Mean loss over the rows; raw outputs too when `outputs` is given (rows x outputs()), in memory
  /// that is none of x's or y's. Throws Error where NaN or infinity in x or y makes it such.
  /// For rows that come in several calls, each of whole batches but the last, `sums` begins empty:
  /// their losses are added to it, and the mean is that of all so far.
  /// `rows`: as EpochOptions::rows.
  double evaluate(const Inputs& x, const Targets& y, const Losses& losses, std::int64_t batch_size,
                  int num_threads, T* outputs,
                  InputSparsity input_sparsity = InputSparsity::automatic,
                  const Callback<void()>& poll = {}, LossSums* sums = nullptr,
                  std::span<const std::int64_t> rows = {}) const;

  /// The last layer's outputs, rows x outputs(), each row's bits independent of the others, in
  /// memory that is none of x's. The rows are not looked through first: NaN and infinities give
  /// outputs that may be such, in these rows alone. Where they are to be refused, as Python does,
  /// call check_finite before.
  void predict(const Inputs& x, std::int64_t batch_size, int num_threads, T* outputs,
               InputSparsity input_sparsity = InputSparsity::automatic,
               const Callback<void()>& poll = {}) const;
  /// The outputs of the first `layers` layers, which are the features that those behind them see.
  void predict_first(std::int64_t layers, const Inputs& x, std::int64_t batch_size, int num_threads,
                     T* outputs, InputSparsity input_sparsity = InputSparsity::automatic,
                     const Callback<void()>& poll = {}) const;
  /// The same as predict, as a new array.
  std::vector<T> predict(const Inputs& x, std::int64_t batch_size = 256, int num_threads = 0) const;

  /// The chain rule by hand. forward keeps what backward needs; backward gives d loss / d x and
  /// keeps the gradients. Results are written to memory that is none of the arguments'.
  void forward(const Inputs& x, bool training, int num_threads, T* outputs);
  void backward(const RowsView& dy, T* dx);
  /// Forward, loss and backward in one go: the mean loss of these rows, the gradients kept, and d
  /// loss / d x if `dx` is given. A loss that contains the last activation works from that
  /// activation's input, as in run_epoch.
  double compute_gradients(const Inputs& x, const Targets& y, const Losses& losses, bool training,
                           int num_threads, T* dx);
  bool has_gradients() const;
  void get_gradient(const std::string& name, T* values) const;
  /// Keeps these values as the gradient of a parameter, row-major and finite, for step: gradients
  /// that were added up or changed by the caller. Where none were kept yet, those of all other
  /// parameters become 0.
  void set_gradient(const std::string& name, const T* values);
  /// The same for several parameters, of all or of none; others become 0 if so asked.
  void set_gradients(const std::vector<std::pair<std::string, const T*>>& given,
                     bool others_zero = false);
  /// Rows that the last forward took, 0 where there was none, and what a layer gave for them, rows
  /// x its outputs; false where the next layer read its entries without a table of them, as behind
  /// a CategoryEncoding.
  std::int64_t activation_rows() const;
  bool get_activation(std::int64_t layer, T* values) const;
  /// One optimizer step from the kept gradients; not by a lazy optimizer, as these do not tell
  /// which inputs were zero. Throws DivergenceError, and changes nothing, where parameters would
  /// become NaN or infinite.
  void step(const Optimizer& optimizer, double learning_rate);

  /// Moves all parameters, running statistics too, towards those of a network with the same layers:
  /// each p becomes p + tau (q - p), worked out in T, and for tau = 1 exactly q. Optimizer state is
  /// left alone. Throws Error for other layers and for tau outside 0..1.
  void interpolate(const Network& source, double tau);

  /// Sets what a layer takes from data (Layer::adapts), from the data as it arrives at that layer:
  /// the mean and variance of a Normalization, the edges of a PiecewiseLinearEmbedding.
  void adapt(std::int64_t layer, const Inputs& x);
  /// The same for every such layer, in their order; without one it does nothing.
  void adapt(const Inputs& x);
  /// The same for those that have not been adapted yet, as a training of whole epochs begins.
  /// Returns whether there were any. `rows`: as EpochOptions::rows.
  bool adapt_remaining(const Inputs& x, std::span<const std::int64_t> rows = {});
  /// The same from rows in pieces, which are gone through at most twice for each layer; to the same
  /// bits.
  void adapt(const RowPieces& x);
  bool adapt_remaining(const RowPieces& x);
  /// Takes the last adaptation back, for a training that then did not begin. Throws StateError
  /// where there is none.
  void undo_adaptation();
  /// Whether there are such layers and all of them have been adapted. Copies and model
  /// files keep it.
  bool adapted() const;
  /// Says so of all such layers, for means and variances that set_parameter has set, or
  /// of none, so that the next Trainer::fit adapts them.
  void set_adapted(bool adapted);

  /// Throws Error unless the layers take x: its columns, the categories in those that hold some,
  /// and where it is sparse also that nothing comes before the first dense layer that would fill
  /// the zeros. `columns` as for check_finite.
  void check_takes(const Inputs& x, const std::vector<std::string>& columns = {}) const;

  /// Which columns of an input may hold NaN, that is missing numbers, since all layers that read
  /// them know what to do with those; empty where none may.
  const std::vector<bool>& missing_columns(std::size_t input = 0) const;

  /// Throws Error when batches of `rows` rows are too small for a layer to train on, or a lazy
  /// optimizer cannot be that of this network, whose first layer must take lists of the entries
  /// that are not zero, or is not to leave out zeros.
  void check_trains(const Optimizer& optimizer, InputSparsity input_sparsity,
                    std::int64_t batch_rows) const;

  /// Throws Error for augmentations with options out of range or of an input that there is not, and
  /// where no input has images, or one that would be changed has none, holds categories or is
  /// compressed in x, which may have no rows.
  void check_augment(const Inputs& x, const Augmentations& augmentations) const;

  /// The stages that a training batch of `batch_size` rows goes through, and the path that the
  /// input would take if it were `x`; without rows the one that it took in the last training, if
  /// that had the same batch size and number of threads.
  PlanInfo plan(std::int64_t batch_size, int num_threads, const Inputs& x = Inputs(),
                InputSparsity input_sparsity = InputSparsity::automatic) const;

 private:
  template <class>
  friend class FullBatchTrainer;
  template <class>
  friend class Predictor;
  template <class>
  friend class StreamingPredictor;
  friend class Hessian;
  struct CHAINRULE_HIDDEN State;
  Owned<State> state_;
};

extern template class Network<float>;
extern template class Network<double>;

/// The loss of raw outputs z (rows x columns, row-major) and, if `dz` is given, its gradient with
/// respect to them.
template <class T>
CHAINRULE_API double loss_and_gradient(const Loss& loss, const T* z, std::int64_t rows,
                                       std::int64_t columns, const TargetsView& y, T* dz);

/// Applies the loss's link (softmax, sigmoid, exp) to rows of raw outputs in place.
template <class T>
CHAINRULE_API void apply_link(const Loss& loss, T* outputs, std::int64_t rows,
                              std::int64_t columns);

/// Turns rows of what a loss's link has made into raw outputs that it would make them of, in place:
/// logarithms for softmax and exp, logits for sigmoid. Probabilities that have been rounded to 0 or
/// 1 count as the nearest ones that have a logarithm; NaN stays NaN.
template <class T>
CHAINRULE_API void apply_inverse_link(const Loss& loss, T* predictions, std::int64_t rows,
                                      std::int64_t columns);

/// Throws Error naming the first row and column of x that is NaN, infinite, or too large for the
/// precision. `columns` are the names of the columns, which go by their numbers without. `missing`
/// says of each column whether it may hold NaN, as Network::missing_columns does; empty: none may.
template <class T>
CHAINRULE_API void check_finite(const RowsView& x, const char* name,
                                const std::vector<std::string>& columns = {},
                                const std::vector<bool>& missing = {});
/// The same for targets that are numbers.
template <class T>
CHAINRULE_API void check_finite(const TargetsView& y, const char* name,
                                const std::vector<std::string>& columns = {});
/// The same, and for targets that the loss cannot compare outputs with: for cross_entropy rows of
/// probabilities that are negative or do not sum to 1, for binary_cross_entropy what is not in [0,
/// 1], for hinge anything but -1 and 1, or 0 and 1, and for poisson what is negative. Of labels
/// nothing is looked at, since everything that takes some checks them. `positions` are those of the
/// output, whose numbers lie side by side.
template <class T>
CHAINRULE_API void check_targets(const TargetsView& y, const Loss& loss, const char* name,
                                 const std::vector<std::string>& columns = {},
                                 std::int64_t positions = 1);

/// The row of the first label that is none of 0 to classes - 1; -1 without one.
CHAINRULE_API std::int64_t first_wrong_label(const std::int64_t* labels, std::int64_t rows,
                                             std::int64_t classes);

}  // namespace chainrule
