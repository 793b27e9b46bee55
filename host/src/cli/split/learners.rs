//! scikit-learn's learners that Septet's own train has, and their parameters.

use septet::contract::Stage;
use serde_json::Value;

use super::{
    analysis::Estimator,
    native::{Native, at},
};

/// An algorithm of train.
struct Learner {
    /// scikit-learn's classes: of classes, of numbers.
    classes: [&'static str; 2],
    algorithm: &'static str,
    parameters: &'static [&'static str],
}

const TREE: [&str; 4] = [
    "max_depth",
    "min_samples_leaf",
    "min_samples_split",
    "max_features",
];

const LEARNERS: [Learner; 10] = [
    Learner {
        classes: ["LogisticRegression", ""],
        algorithm: "logistic-regression",
        parameters: &["C", "max_iter", "tol"],
    },
    Learner {
        classes: ["", "Ridge"],
        algorithm: "ridge",
        parameters: &["alpha"],
    },
    Learner {
        classes: ["", "LinearRegression"],
        algorithm: "linear-regression",
        parameters: &[],
    },
    Learner {
        classes: ["", "Lasso"],
        algorithm: "lasso",
        parameters: &["alpha", "max_iter", "tol"],
    },
    Learner {
        classes: ["", "ElasticNet"],
        algorithm: "elastic-net",
        parameters: &["alpha", "l1_ratio", "max_iter", "tol"],
    },
    Learner {
        classes: ["RandomForestClassifier", "RandomForestRegressor"],
        algorithm: "random-forest",
        parameters: &["n_estimators", TREE[0], TREE[1], TREE[2], TREE[3]],
    },
    Learner {
        classes: ["DecisionTreeClassifier", "DecisionTreeRegressor"],
        algorithm: "decision-tree",
        parameters: &TREE,
    },
    Learner {
        classes: ["", "GradientBoostingRegressor"],
        algorithm: "gradient-boosting",
        parameters: &[
            "n_estimators",
            "learning_rate",
            TREE[0],
            TREE[1],
            TREE[2],
            TREE[3],
        ],
    },
    Learner {
        classes: ["KNeighborsClassifier", "KNeighborsRegressor"],
        algorithm: "knn",
        parameters: &["n_neighbors", "weights"],
    },
    Learner {
        classes: ["GaussianNB", ""],
        algorithm: "gaussian-nb",
        parameters: &["var_smoothing"],
    },
];

/// Parameters that change how it is computed and not what.
const IMMATERIAL: [&str; 7] = [
    "random_state",
    "n_jobs",
    "verbose",
    "solver",
    "copy_X",
    "warm_start",
    "multi_class",
];

impl Native {
    /// The learner's settings, or why it has none.
    pub(super) fn learner(&mut self, found: &Estimator) {
        let class = found.class.as_str();
        let known = LEARNERS
            .iter()
            .find(|learner| learner.classes.contains(&class));
        let Some(learner) = known else {
            self.without(
                found.line,
                format!("{class} has no counterpart: keep train external"),
            );
            return;
        };
        let task = if learner.classes.first() == Some(&class) {
            "classification"
        } else {
            "regression"
        };
        let because = format!("{class}, {}", at(found.line));
        let algorithm = Value::from(learner.algorithm);
        if !self.set(Stage::Train, &["algorithm"], algorithm, &because) {
            self.without(
                found.line,
                format!("{class} is another learner: train has one at a time"),
            );
            return;
        }
        self.task = Some(task);
        for (name, value) in &found.parameters {
            self.parameter(learner, name, value, found, &because);
        }
        for name in &found.unknown {
            if !IMMATERIAL.contains(&name.as_str()) {
                let told = format!(
                    "{name} of {class} is computed: set [train.parameters] {name} yourself"
                );
                self.without(found.line, told);
            }
        }
    }

    fn parameter(
        &mut self,
        learner: &Learner,
        name: &str,
        value: &Value,
        found: &Estimator,
        because: &str,
    ) {
        let whole = || value.as_u64().filter(|whole| *whole >= 1);
        let number = || {
            value
                .as_f64()
                .filter(|number| *number >= 0.0 && number.is_finite())
        };
        let value_of = match name {
            "random_state" => {
                if let Some(seed) = value.as_u64() {
                    self.seed.get_or_insert(seed);
                }
                return;
            }
            "class_weight" if value == "balanced" => {
                self.set(Stage::Preprocess, &["class_weight"], value.clone(), because);
                return;
            }
            "class_weight" if value.is_null() => return,
            "penalty" if value == "l2" => return,
            "fit_intercept" if value == true => return,
            name if IMMATERIAL.contains(&name) => return,
            name if !learner.parameters.contains(&name) => None,
            // No bound is what forests and single trees begin with.
            "max_depth" if value.is_null() && learner.algorithm != "gradient-boosting" => return,
            "max_features" if value.is_null() => Some(Value::from("all")),
            "max_features" => match value.as_str() {
                Some("sqrt" | "log2") => Some(value.clone()),
                Some(_) => None,
                None => number()
                    .filter(|number| *number > 0.0)
                    .map(|_| value.clone()),
            },
            "weights" => {
                matches!(value.as_str(), Some("uniform" | "distance")).then(|| value.clone())
            }
            "C" | "alpha" | "tol" | "l1_ratio" | "learning_rate" | "var_smoothing" => {
                number().map(Value::from)
            }
            _ => whole().map(Value::from),
        };
        match value_of {
            Some(value) => {
                self.set(Stage::Train, &["parameters", name], value, because);
            }
            None => self.without(
                found.line,
                format!("{name} = {value} of {} has no counterpart", found.class),
            ),
        }
    }
}
