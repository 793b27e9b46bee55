# A flat script, as tutorials on passengers of a ship have it.
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt
import seaborn as sns
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import cross_val_score, train_test_split

train = pd.read_csv("input/train.csv")
test = pd.read_csv("input/test.csv")

print(train.head())
train.info()
sns.barplot(x="Sex", y="Survived", data=train)
plt.show()

for df in [train, test]:
    df["Title"] = df["Name"].str.extract(r" ([A-Za-z]+)\.", expand=False)
    df["Age"] = df["Age"].fillna(df["Age"].median())
    df["Embarked"] = df["Embarked"].fillna("S")
    df["Fare"] = df["Fare"].fillna(train["Fare"].median())
    df["FamilySize"] = df["SibSp"] + df["Parch"] + 1
    df["Sex"] = df["Sex"].map({"male": 0, "female": 1}).astype(int)

passengers = test["PassengerId"]
train = train.drop(["Name", "Ticket", "Cabin", "PassengerId"], axis=1)
test = test.drop(["Name", "Ticket", "Cabin", "PassengerId"], axis=1)
train = pd.get_dummies(train, columns=["Embarked", "Title"])
test = pd.get_dummies(test, columns=["Embarked", "Title"])

X = train.drop("Survived", axis=1)
y = train["Survived"]
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.25, random_state=42, stratify=y)

model = RandomForestClassifier(n_estimators=200, max_depth=6, random_state=42, n_jobs=-1)
model.fit(X_train, y_train)

pred = model.predict(X_val)
print("accuracy", accuracy_score(y_val, pred))
print(confusion_matrix(y_val, pred))
print(cross_val_score(model, X, y, cv=5).mean())

submission = pd.DataFrame({"PassengerId": passengers, "Survived": model.predict(test)})
submission.to_csv("submission.csv", index=False)
upload(submission)
