"""What calls and methods of common libraries do. It is run by `septet split` together with analyse.py."""

import ast
import builtins
import io
import json
import re
import sys
import tokenize

STAGE = {
    "read": "ingest",
    "transform": "preprocess",
    "split": "preprocess",
    "fit": "train",
    "score": "evaluate",
    "save": "deploy",
    "deploy": "deploy",
    "serve": "infer",
    "predict": "infer",
    "monitor": "monitor",
}
# Names that a star or an attribute of an unknown module is not needed for.
READERS = re.compile(
    r"(pandas|polars|dask\.dataframe|geopandas|modin\.pandas|cudf)\.(read|scan)_\w+|sklearn\.datasets\.(load|fetch|make)_\w+"
    r"|numpy\.(loadtxt|genfromtxt|load|fromfile)|csv\.(reader|DictReader)|seaborn\.load_dataset|datasets\.load_dataset"
    r"|pyarrow\.(parquet|csv|feather|json)\.read_\w+|requests\.(get|post)|urllib\.request\.\w+|duckdb\.(sql|query|read_\w+)"
    r"|torchvision\.datasets\.\w+|keras\.datasets\.\w+(\.load_data)?|tensorflow\.keras\.datasets\.\w+(\.load_data)?"
)
SPLITTERS = re.compile(
    r"sklearn\.model_selection\.(train_test_split|\w*KFold|\w*ShuffleSplit|TimeSeriesSplit|LeaveOneOut|Leave\w+|PredefinedSplit)"
    r"|torch\.utils\.data\.random_split"
)
SCORES = re.compile(
    r"sklearn\.metrics\.\w+|sklearn\.model_selection\.(cross_\w+|learning_curve|validation_curve|permutation_test_score)"
    r"|sklearn\.inspection\.\w+|sklearn\.calibration\.calibration_curve|shap\.\w+|mlflow\.(log_metric|log_metrics|evaluate)"
    r"|torchmetrics\.\w+|scipy\.stats\.(pearsonr|spearmanr)"
)
SAVES = re.compile(
    r"(joblib|pickle|cloudpickle|dill|json|torch|onnx|yaml)\.(dump|dumps|save)(_model)?|numpy\.(save|savez\w*|savetxt)"
    r"|mlflow\.\w+\.(log_model|save_model)|mlflow\.(log_artifact\w*|log_param\w*)|skl2onnx\.\w+|onnxmltools\.\w+"
)
LOADS = re.compile(
    r"(joblib|pickle|cloudpickle|dill|torch)\.loads?|mlflow\.\w+\.load_model|keras\.models\.load_model"
    r"|tensorflow\.keras\.models\.load_model|onnxruntime\.InferenceSession|onnx\.load"
)
DEPLOYS = re.compile(
    r"mlflow\.(register_model|tracking\.\w+|MlflowClient|client\.MlflowClient)|shutil\.(copy\w*|move)|os\.(replace|rename|symlink)"
    r"|boto3\.\w+|google\.cloud\.\w+(\.\w+)*|azure\.(ai|storage)\.\w+(\.\w+)*|sagemaker(\.\w+)+|huggingface_hub\.\w+|wandb\.log_artifact"
)
SERVES = re.compile(
    r"flask\.(Flask|Blueprint)|fastapi\.(FastAPI|APIRouter)|starlette\.applications\.Starlette|uvicorn\.run|waitress\.serve"
    r"|gradio\.\w+|streamlit\.\w+|http\.server\.\w+|bottle\.\w+|sanic\.Sanic|aiohttp\.web\.\w+|tornado\.web\.\w+|azure\.functions\.\w+"
    r"|flask\.(request|jsonify)\w*|bentoml\.\w+"
)
MONITORS = re.compile(
    r"(evidently|alibi_detect|nannyml|deepchecks|whylogs|river\.drift|frouros)(\.\w+)*"
    r"|scipy\.stats\.(ks_2samp|chi2_contingency|chisquare|wasserstein_distance|anderson_ksamp|mannwhitneyu|entropy)"
    r"|scipy\.spatial\.distance\.jensenshannon"
)
LOOKS = re.compile(
    r"(matplotlib|seaborn|plotly|altair|bokeh|missingno|IPython|ydata_profiling|pandas_profiling|warnings|logging|logger|log|os|sys|time"
    r"|datetime|random|gc|argparse|pprint|tqdm|rich|click|typing|pathlib|glob|json|math|platform|subprocess|re|collections|itertools"
    r"|functools|dataclasses|get_ipython)(\.\w+)*"
    r"|(pandas|numpy)\.(set_option|options\.\w+|set_printoptions|random\.seed)|torch\.(manual_seed|device|cuda\.\w+)|mlflow\.\w+|wandb\.\w+"
)
LEARNERS = re.compile(
    r"sklearn\.(linear_model|ensemble|tree|neighbors|svm|naive_bayes|neural_network|discriminant_analysis|gaussian_process|cluster"
    r"|multiclass|multioutput|calibration|dummy|kernel_ridge|isotonic|mixture)\.\w+|(xgboost|lightgbm|catboost)\.\w+|statsmodels(\.\w+)+"
    r"|keras(\.\w+)+|tensorflow\.keras(\.\w+)+|torch\.nn\.\w+|prophet\.\w+|autogluon(\.\w+)+|tpot\.\w+"
)
TRAINERS = re.compile(r"(xgboost|lightgbm)\.(train|cv)|optuna\.\w+")
SHAPERS = re.compile(
    r"sklearn\.(preprocessing|impute|decomposition|feature_selection|feature_extraction(\.text)?|compose|random_projection|manifold"
    r"|experimental)\.\w+|category_encoders(\.\w+)+|imblearn(\.\w+)+|feature_engine(\.\w+)+|pandas\.(get_dummies|cut|qcut|concat|merge"
    r"|to_datetime|to_numeric|DataFrame|Series|melt|pivot\w*|crosstab|factorize)|numpy\.\w+(\.\w+)*|nltk(\.\w+)*|spacy(\.\w+)*"
)
SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
CHAINS = ("Pipeline", "make_pipeline", "ColumnTransformer", "make_column_transformer", "FeatureUnion", "make_union")
NATIVE_SHAPERS = (
    "StandardScaler",
    "MinMaxScaler",
    "RobustScaler",
    "SimpleImputer",
    "OneHotEncoder",
    "OrdinalEncoder",
)
# Methods of frames that change nothing.
SAME = frozenset("to_numpy copy reset_index to_frame values T".split())
# Methods of frames that only look.
LOOKING = frozenset(
    "head tail info describe shape columns dtypes value_counts nunique unique hist plot boxplot memory_usage style index corr"
    " isnull isna display duplicated".split()
)
WRITING = re.compile(
    r"to_(csv|parquet|pickle|json|excel|feather|sql|hdf|html|markdown|latex)|write_(csv|parquet|json|database)|save_binary"
)
FITTING = frozenset("fit partial_fit fit_predict fit_resample train_on_batch backward".split())
SCORING = frozenset("score evaluate cross_val_score".split())
PREDICTING = frozenset("predict predict_proba predict_log_proba decision_function forecast".split())
SHAPING = frozenset("transform fit_transform inverse_transform get_feature_names_out set_output".split())
SAVING = frozenset("save save_model save_weights save_pretrained dump export".split())
ROUTES = frozenset("route get post put errorhandler websocket api_route before_request on_event function_name".split())
CONTEXTS = (
    ("ingest", re.compile(r"ingest|^_?(load|read|fetch|get)_(\w*_)?(data|dataset|csv|frame|table|raw)")),
    ("monitor", re.compile(r"drift|monitor|(^|_)psi(_|$)|data_quality")),
    ("deploy", re.compile(r"deploy|promote|register|publish|rollback|release|upload_model|save_model|export_model")),
    ("infer", re.compile(r"serve|infer|score_new|predict|batch_score|handler|endpoint")),
    ("evaluate", re.compile(r"evaluat|metrics|assess|validate_model|score_model|report")),
)
DATA_NAMES = re.compile(
    r"^(df\w*|\w*_df|data\w*|frame|table|features?|x(_\w+)?|y(_\w+)?|rows|records|train\w*|test\w*|labels?|target)$", re.I
)
MODEL_NAMES = re.compile(r"^(\w*model\w*|clf|classifier|regressor|estimator|pipe(line)?|net)$", re.I)
