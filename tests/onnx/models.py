"""Models of many kinds: as ONNX, with the rows that they were trained on and what scikit-learn says of them.

    models.py FOLDER

writes NAME.onnx, NAME.csv and NAME.json for each of `kinds.json`, and the files that are to be refused.
"""

import json
import pathlib
import sys
import warnings

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

warnings.filterwarnings("ignore")
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
kinds = []


def convert(model, X, types=None, **options):
    types = types or [("X", FloatTensorType([None, X.shape[1]]))]
    return convert_sklearn(model, initial_types=types, options={id(model): options} if options else None)


def emit(name, model, X, y, types=None, **options):
    model.fit(X, y)
    classes = getattr(model, "classes_", None)
    if classes is not None and not options:
        options = {"zipmap": False}
    proto = convert(model, X, types, **options)
    (folder / f"{name}.onnx").write_bytes(proto.SerializeToString())
    X.assign(target=y).to_csv(folder / f"{name}.csv", index=False)
    # As the model is given them: floats of 32 bits.
    rounded = X.assign(**{c: X[c].astype(np.float32) for c in X if X[c].dtype.kind == "f"})
    said = model.predict(rounded) if classes is None else model.predict_proba(rounded)
    told = {
        "classes": [] if classes is None else [str(c) for c in classes],
        "expected": np.asarray(said, float).reshape(len(X), -1).tolist(),
    }
    (folder / f"{name}.json").write_text(json.dumps(told))
    kinds.append(name)


def scaled(data):
    return pd.DataFrame(StandardScaler().fit_transform(data), columns=data.columns)


iris, cancer = load_iris(as_frame=True), load_breast_cancer(as_frame=True)
flowers, species = iris.data, iris.target_names[iris.target]
cells, malign = scaled(cancer.data), cancer.target
diabetes = load_diabetes(as_frame=True, scaled=False)
people, progress = diabetes.data.astype(float), diabetes.target

emit("logistic-binary", LogisticRegression(max_iter=5000), cells, malign)
emit("logistic-texts", LogisticRegression(max_iter=5000), flowers, species)
emit("logistic-zipmap", LogisticRegression(max_iter=5000), flowers, species, zipmap=True)
# As texts 13 comes before 3.
emit("logistic-numbers", LogisticRegression(max_iter=5000), flowers, iris.target * 5 + 3)
emit("linear", LinearRegression(), people, progress)
emit("ridge", Ridge(), people, progress)
emit("lasso-scaled", make_pipeline(StandardScaler(), Lasso()), people, progress)
emit("polynomial", make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge()), people[["bmi", "bp", "s5"]], progress)
emit("tree-classifier", DecisionTreeClassifier(max_depth=5, random_state=0), flowers, species)
emit("tree-regressor", DecisionTreeRegressor(max_depth=6, random_state=0), people, progress)
emit("forest-binary", RandomForestClassifier(40, random_state=0), cells, malign)
emit("forest-classifier", RandomForestClassifier(30, random_state=0), flowers, species)
emit("forest-regressor", RandomForestRegressor(30, random_state=0), people, progress)
emit("extra-trees", ExtraTreesClassifier(20, random_state=0), flowers, species)
emit("boosting-binary", GradientBoostingClassifier(random_state=0), cells, malign)
emit("boosting-classifier", GradientBoostingClassifier(n_estimators=30, random_state=0), flowers, species)
emit("boosting-regressor", GradientBoostingRegressor(random_state=0), people, progress)
emit("adaboost", AdaBoostClassifier(n_estimators=20, random_state=0), cells, malign)
emit("neighbours", KNeighborsClassifier(5), flowers, species)
emit("bayes", GaussianNB(), flowers, species)
emit("perceptron", make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=300, random_state=0)), cells, malign)
emit("min-max", make_pipeline(MinMaxScaler(), LogisticRegression()), cells, malign)

# Columns of several kinds, some of them with holes.
draw, rows = np.random.default_rng(7), 300
mixed = pd.DataFrame(
    {
        "age": draw.normal(40, 12, rows).round(1),
        "fare": draw.gamma(2, 15, rows).round(2),
        "city": draw.choice(["Berlin", "Paris", "Rome", "Oslo"], rows),
        "grade": draw.choice(["a", "b", "c"], rows),
        "kids": draw.integers(0, 5, rows),
    }
)
answer = np.where(mixed.age + 10 * (mixed.city == "Rome") - mixed.fare / 4 + draw.normal(0, 5, rows) > 32, "yes", "no")
holes = mixed.copy()
holes.loc[draw.choice(rows, 30, False), "age"] = np.nan
numbers, texts = ["age", "fare"], ["city", "grade"]
columns = [(c, FloatTensorType([None, 1])) for c in numbers] + [(c, StringTensorType([None, 1])) for c in texts]


def prepared():
    fill = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return ColumnTransformer([("n", fill, numbers), ("c", OneHotEncoder(handle_unknown="ignore"), texts)])


both = holes[numbers + texts]
emit("pipeline-one-hot", make_pipeline(prepared(), LogisticRegression(max_iter=1000)), both, answer, columns)
emit("pipeline-forest", make_pipeline(prepared(), RandomForestClassifier(20, random_state=0)), both, answer, columns)
ordinal = ColumnTransformer([("n", RobustScaler(), numbers), ("c", OrdinalEncoder(), texts)])
emit("pipeline-ordinal", make_pipeline(ordinal, GradientBoostingRegressor(random_state=0)), mixed[numbers + texts], mixed.age * 2 + mixed.fare, columns)
whole = ColumnTransformer([("n", StandardScaler(), numbers), ("k", OneHotEncoder(handle_unknown="ignore"), ["kids"])])
whole_types = columns[:2] + [("kids", Int64TensorType([None, 1]))]
emit("pipeline-whole", make_pipeline(whole, LogisticRegression(max_iter=1000)), mixed[numbers + ["kids"]], answer, whole_types)

def trees(modes, missing, attribute="target", **more):
    """A tree with one comparison with 1 each: the leaf for yes weighs 1, 2, 4 … and the other one nothing."""
    count = len(modes)
    each = range(count)
    return {
        "nodes_treeids": [tree for tree in each for _ in range(3)],
        "nodes_nodeids": [0, 1, 2] * count,
        "nodes_featureids": [0] * 3 * count,
        "nodes_values": [1.0, 0.0, 0.0] * count,
        "nodes_truenodeids": [1, 0, 0] * count,
        "nodes_falsenodeids": [2, 0, 0] * count,
        "nodes_modes": [name for mode in modes for name in (mode, "LEAF", "LEAF")],
        "nodes_missing_value_tracks_true": [value for there in missing for value in (there, 0, 0)],
        f"{attribute}_treeids": [tree for tree in each for _ in range(2)],
        f"{attribute}_nodeids": [1, 2] * count,
        f"{attribute}_ids": [0] * 2 * count,
        f"{attribute}_weights": [weight for tree in each for weight in (float(2**tree), 0.0)],
        **more,
    }


def ensemble(outputs=("Y",), operator="TreeEnsembleRegressor", **attributes):
    value = helper.make_tensor_value_info
    node = helper.make_node(operator, ["X"], list(outputs), domain="ai.onnx.ml", **attributes)
    shapes = [value(outputs[-1], TensorProto.FLOAT, [None, len(outputs)])]
    shapes = [value(name, TensorProto.INT64, [None]) for name in outputs[:-1]] + shapes
    proto = helper.make_graph([node], "g", [value("X", TensorProto.FLOAT, [None, 1])], shapes)
    imports = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(proto, opset_imports=imports, ir_version=8)


# All comparisons, of which scikit-learn's trees have one, as ONNX's own reference implementation has them.
every = [f"BRANCH_{mode}" for mode in ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")]
compared = ensemble(**trees(every * 2, [0] * 6 + [1] * 6, n_targets=1, base_values=[0.5]))
(folder / "tree-comparisons.onnx").write_bytes(compared.SerializeToString())
looked = pd.DataFrame({"X": [0.0, 1.0, 2.0, np.nan] * 10})
said = ReferenceEvaluator(compared).run(None, {"X": looked.to_numpy(np.float32)})[0]
looked.assign(target=said).to_csv(folder / "tree-comparisons.csv", index=False)
told = {"classes": [], "expected": np.asarray(said, float).tolist()}
(folder / "tree-comparisons.json").write_text(json.dumps(told))
kinds.append("tree-comparisons")
(folder / "kinds.json").write_text(json.dumps(kinds))


# What is refused.
looked.assign(target=said).to_csv(folder / "trees.csv", index=False)
flowers.assign(target=iris.target * 1.5).to_csv(folder / "numbers.csv", index=False)


def refused(name, proto):
    (folder / f"refused-{name}.onnx").write_bytes(proto.SerializeToString())


machine = SVC(probability=True, random_state=0).fit(flowers, species)
refused("svm", convert(machine, flowers, zipmap=False))
margins = LinearSVC().fit(flowers, species)
refused("margins", convert(margins, flowers))
logistic = LogisticRegression(max_iter=5000).fit(flowers, species)
raw = convert(logistic, flowers, zipmap=False, raw_scores=True)
refused("raw-scores", raw)


def graph(nodes, initializers=(), inputs=None):
    value = helper.make_tensor_value_info
    inputs = inputs or [value("X", TensorProto.FLOAT, [None, 4])]
    return helper.make_graph(nodes, "g", inputs, [value("Y", TensorProto.FLOAT, [None, 1])], list(initializers))


def model(graph, *domains, **more):
    imports = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)]
    imports += [helper.make_opsetid(domain, 1) for domain in domains]
    return helper.make_model(graph, opset_imports=imports, **more)


refused("chance", model(graph([helper.make_node("RandomNormalLike", ["X"], ["Y"])])))
refused("domain", model(graph([helper.make_node("Relu", ["X"], ["Y"], domain="com.example")]), "com.example"))
refused("nothing", model(graph([helper.make_node("Relu", ["X"], ["Z"])])))
far = helper.make_tensor("w", TensorProto.FLOAT, [4, 1], np.ones(4))
outside = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 1], data_location=TensorProto.EXTERNAL)
outside.external_data.add(key="location", value="../../etc/passwd")
product = [helper.make_node("MatMul", ["X", "w"], ["Y"])]
refused("outside", model(graph(product, [outside])))
huge = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 40, 1 << 20])
refused("huge", model(graph(product, [huge])))
short = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 1], float_data=[1.0])
refused("short", model(graph(product, [short])))
wide = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 9])
refused("wide", model(graph([helper.make_node("ReduceSum", ["X"], ["Y"])], [], [wide])))
body = helper.make_function("com.example", "Own", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 15)])
refused("function", model(graph([helper.make_node("Own", ["X"], ["Y"], domain="com.example")]), "com.example", functions=[body]))
# Four gigabytes of zeros, asked for while it runs.
size = helper.make_tensor("s", TensorProto.INT64, [1], [1 << 30])
bomb = [helper.make_node("ConstantOfShape", ["s"], ["z"]), helper.make_node("ReduceSum", ["z"], ["r"]), helper.make_node("Mul", ["X", "r"], ["Y"])]
refused("bomb", model(graph(bomb, [size])))
# Trees that are none, and scores that mean one thing in the specification and another in onnxruntime.
one = ["BRANCH_LEQ"]
refused("tree-circle", ensemble(**trees(one, [0], n_targets=1) | {"nodes_falsenodeids": [0, 0, 0]}))
refused("tree-shared", ensemble(**trees(one, [0], n_targets=1) | {"nodes_falsenodeids": [1, 0, 0]}))
refused("tree-gap", ensemble(**trees(one, [0], n_targets=1) | {"nodes_nodeids": [0, 1, 3], "nodes_falsenodeids": [3, 0, 0]}))
refused("tree-weights", ensemble(**trees(one, [0], n_targets=1) | {"target_nodeids": [0, 2]}))
refused("tree-base", ensemble(**trees(one, [0], n_targets=1, base_values=[1.0, 2.0])))
refused("tree-transformed", ensemble(**trees(one, [0], n_targets=1, post_transform="LOGISTIC")))
two = trees(one, [0], "class", classlabels_int64s=[0, 1])
both = {"outputs": ("label", "Y"), "operator": "TreeEnsembleClassifier"}
refused("tree-softmax", ensemble(**both, **two, post_transform="SOFTMAX"))
refused("tree-second", ensemble(**both, **two | {"class_ids": [1, 1]}))
refused("tree-raw", ensemble(**both, **two | {"class_weights": [0.5, -0.5]}))
refused("norm-max", model(graph([helper.make_node("Normalizer", ["X"], ["Y"], domain="ai.onnx.ml", norm="MAX")])))
