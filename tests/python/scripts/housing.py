#!/usr/bin/env python
# coding: utf-8

# # House prices
# An export of a notebook.

# In[1]:


get_ipython().run_line_magic('matplotlib', 'inline')
%matplotlib inline
!pip install --quiet lightgbm
import numpy as np, pandas as pd
from sklearn import metrics
from sklearn.linear_model import Ridge
from sklearn.preprocessing import MinMaxScaler
from sklearn.model_selection import train_test_split


# In[2]:


housing = pd.read_csv(
    "https://example.com/data/housing.csv",
    parse_dates=["sold"],
)
housing.describe()


# In[3]:


%%bash
ls -l data | wc -l
for f in *.csv; do echo $f; done


# In[4]:


files = !ls
housing["rooms_per_house"] = housing["total_rooms"] / housing["households"]
housing = housing.dropna(subset=["total_bedrooms"])
housing.plot(kind="scatter", x="longitude", y="latitude")


# In[5]:


y = housing.pop("median_house_value")
X_train, X_test, y_train, y_test = train_test_split(housing, y, test_size=0.3)
scaler = MinMaxScaler()
X_train = scaler.fit_transform(X_train)
X_test = scaler.transform(X_test)


# In[6]:


%%time
reg = Ridge(alpha=2.5, fit_intercept=False)
reg.fit(X_train, y_train)
housing?


# In[7]:


rmse = np.sqrt(metrics.mean_squared_error(y_test, reg.predict(X_test)))
rmse
import pickle
with open("ridge.pkl", "wb") as f:
    pickle.dump(reg, f)
